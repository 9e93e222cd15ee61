//! The table: which room may name which.
//!
//! A room is a module at the crate's root. Rows stand in the order of the flow and name only rows above them, so
//! arrows point one way. `docs/architecture.md` shows the same table, with what rests on it.

/// A room, and the rooms (or groups of rooms) that its files may name. Every file may name its own room.
pub struct Room {
    pub name: &'static str,
    pub may_name: &'static [&'static str],
}

/// Names that stand for several rooms in `may_name`.
pub const GROUPS: &[(&str, &[&str])] =
    &[("nouns", &["contract", "intent", "world", "writ", "proposal", "commit"]), ("everything above", &[])];

pub const ROOMS: &[Room] = &[
    // Bytes, keys, time.
    Room { name: "canon", may_name: &[] },
    Room { name: "crypto", may_name: &["canon"] },
    Room { name: "predicate", may_name: &["canon"] },
    Room { name: "host", may_name: &["canon", "crypto"] },
    Room { name: "redact", may_name: &["canon", "crypto"] },
    // The nouns of the flow: plain data. `intent` and `writ` draw salts and nonces, and sign, through `host`.
    Room { name: "contract", may_name: &["canon"] },
    Room { name: "intent", may_name: &["canon", "contract", "host"] },
    Room { name: "world", may_name: &["canon"] },
    Room { name: "writ", may_name: &["canon", "contract", "crypto", "host", "predicate"] },
    Room { name: "proposal", may_name: &["canon", "contract", "crypto", "intent", "world", "writ"] },
    Room { name: "commit", may_name: &["canon", "contract", "proposal", "world", "writ"] },
    // The ports. None of them sees another.
    Room { name: "cognition", may_name: &["canon", "crypto", "nouns"] },
    Room { name: "tool", may_name: &["canon", "host", "nouns"] },
    Room { name: "policy", may_name: &["canon", "crypto", "host", "nouns", "predicate"] },
    Room { name: "ledger", may_name: &["canon", "crypto", "nouns", "policy"] },
    // The verbs. `compile` and `replay` can reach nothing that acts: no tool, no model, no machine.
    Room { name: "compile", may_name: &["canon", "crypto", "nouns", "policy", "predicate"] },
    Room { name: "execute", may_name: &["canon", "compile", "host", "ledger", "nouns", "redact", "tool"] },
    Room { name: "approval", may_name: &["canon", "crypto", "ledger", "nouns", "policy"] },
    Room { name: "delegation", may_name: &["canon", "ledger", "nouns"] },
    Room {
        name: "replay",
        may_name: &["approval", "canon", "compile", "crypto", "delegation", "ledger", "nouns", "policy"],
    },
    // Composition, and the hosts that use it.
    Room { name: "runtime", may_name: &["everything above"] },
    Room { name: "testing", may_name: &["everything above"] },
    Room { name: "server", may_name: &["everything above"] },
    Room { name: "cli", may_name: &["everything above"] },
];

/// Whether a file of the first room may name the second; `None` when the first is not in the table.
pub fn allows(from: &str, to: &str) -> Option<bool> {
    let at = ROOMS.iter().position(|room| room.name == from)?;
    let (above, rest) = ROOMS.split_at(at);
    let may_name = rest.first()?.may_name;
    Some(
        from == to
            || may_name.contains(&to)
            || may_name.contains(&"everything above") && above.iter().any(|room| room.name == to)
            || GROUPS.iter().any(|(group, members)| may_name.contains(group) && members.contains(&to)),
    )
}

/// What a room may name, for a message.
pub fn rule(from: &str) -> String {
    match ROOMS.iter().find(|room| room.name == from).map(|room| room.may_name) {
        Some([]) => "it may name no other room".into(),
        Some(names) => format!("it may name {}", names.join(", ")),
        None => "it is not in the table".into(),
    }
}

#[test]
fn rows_name_only_rows_above_them() {
    for (at, room) in ROOMS.iter().enumerate() {
        for later in ROOMS.iter().skip(at + 1) {
            assert_eq!(allows(room.name, later.name), Some(false), "`{}` → `{}` points back", room.name, later.name);
        }
        for name in room.may_name {
            let known = ROOMS.iter().any(|other| other.name == *name) || GROUPS.iter().any(|(group, _)| group == name);
            assert!(known, "`{}` names `{name}`, which is neither a room nor a group", room.name);
        }
    }
}

#[test]
fn what_the_guarantees_rest_on_is_in_the_table() {
    for (from, to) in [
        ("cognition", "tool"),
        ("cognition", "ledger"),
        ("cognition", "execute"),
        ("cognition", "host"),
        ("replay", "tool"),
        ("replay", "cognition"),
        ("replay", "execute"),
        ("replay", "host"),
        ("compile", "tool"),
        ("compile", "ledger"),
        ("compile", "host"),
        ("policy", "ledger"),
        ("policy", "tool"),
    ] {
        assert_eq!(allows(from, to), Some(false), "`{from}` may name `{to}`");
    }
}

#[test]
fn the_documentation_shows_this_table() {
    let page = include_str!("../../docs/architecture.md");
    let section = page.split("## Directions").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let shown: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
    let rows = ROOMS.iter().map(|room| match room.may_name {
        [] => format!("| `{}` | no other room |", room.name),
        names => format!("| `{}` | {} |", room.name, names.join(", ")),
    });
    assert_eq!(shown, rows.collect::<Vec<_>>());
}
