//! Arrows point one way: no file names a room that `rooms.rs` does not let it name.
#![expect(clippy::indexing_slicing, reason = "a test helper that goes wrong should stop the test")]

mod paths;
mod rooms;
mod tokens;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The files below `src`, by their path from there, with `/` between folders.
type Sources = BTreeMap<String, String>;

#[test]
fn every_file_names_only_what_its_room_may() {
    let mut sources = Sources::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    assert!(sources.contains_key("lib.rs"), "no sources found");
    let faults = faults(&sources);
    assert!(faults.is_empty(), "paths that point the wrong way: {}\n{}", faults.len(), faults.join("\n"));
}

fn read(folder: &Path, prefix: &str, sources: &mut Sources) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{name}/"), sources);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            assert!(!text.is_empty(), "`src/{name}` is empty or cannot be read");
            sources.insert(name, text);
        }
    }
}

/// What is wrong, a line for each path: where, which path, which rule.
fn faults(sources: &Sources) -> Vec<String> {
    let names = root_names(sources.get("lib.rs").map_or("", String::as_str));
    let files: Vec<_> = sources.iter().map(|(name, text)| (name, text, module(name))).collect();
    let codes: Vec<_> = files.iter().map(|(.., text, _)| paths::without_tests(&tokens::tokens(text))).collect();
    let test_only: BTreeSet<Vec<&str>> = (files.iter().zip(&codes))
        .flat_map(|((.., module), code)| code.test_files.iter().map(move |file| [module.as_slice(), &[file]].concat()))
        .collect();

    let mut faults = Vec::new();
    for ((name, _, module), code) in files.iter().zip(&codes) {
        let is_test = (1..=module.len()).any(|length| test_only.contains(&module[..length]));
        let Some(room) = module.first().filter(|room| **room != "bin" && !is_test) else { continue };
        if rooms::allows(room, room).is_none() {
            faults.push(format!("src/{name}:1: `{room}` is not in the table: add it to tests/architecture/rooms.rs"));
            continue;
        }
        for found in paths::paths(&code.tokens, module) {
            if let Some(fault) = fault(room, &found, &names) {
                let path = [&["crate"], found.segments.as_slice()].concat().join("::");
                faults.push(format!("src/{name}:{}: `{path}`: {fault}", found.line));
            }
        }
    }
    faults
}

fn fault(room: &str, found: &paths::Found<'_>, names: &BTreeMap<String, String>) -> Option<String> {
    let Some(first) = found.segments.first() else {
        return Some("an alias or a glob of the crate's root hides what is named through it".into());
    };
    let target = names.get(*first).map_or(*first, String::as_str);
    if rooms::ROOMS.iter().all(|other| other.name != target) {
        return (!names.contains_key(*first))
            .then(|| format!("`{first}` is neither a room of the table nor a name that lib.rs exports"));
    }
    if rooms::allows(room, target) == Some(false) {
        return Some(format!("`{room}` may not name `{target}`; {}", rooms::rule(room)));
    }
    (found.exported && target != room)
        .then(|| format!("`{room}` exports only its own: what is in `{target}` has its path there"))
}

/// The names that `lib.rs` exports from its modules, with the room (or the crate) that they come from.
fn root_names(source: &str) -> BTreeMap<String, String> {
    let all = tokens::tokens(source);
    let code = paths::without_tests(&all);
    let mut names = BTreeMap::new();
    for found in paths::paths(&code.tokens, &[]) {
        if let (Some(name), Some(room)) = (found.name, found.segments.first()) {
            names.insert(name.to_owned(), (*room).to_owned());
        }
    }
    names
}

/// `["writ", "chain"]` for `writ/chain.rs`, `["writ"]` for `writ/mod.rs` and `writ.rs`, nothing for `lib.rs`.
fn module(file: &str) -> Vec<&str> {
    let mut segments: Vec<_> = file.trim_end_matches(".rs").split('/').collect();
    if matches!(segments.last(), Some(&"mod")) || segments == ["lib"] {
        segments.pop();
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::{Sources, faults};

    fn faults_of(files: &[(&str, &str)]) -> Vec<String> {
        faults(&files.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect::<Sources>())
    }

    #[test]
    fn a_violation_says_where_what_and_which_rule() {
        assert_eq!(
            faults_of(&[("replay/read.rs", "use crate::{\n    canon::Hash,\n    tool::{Call, ToolRegistry},\n};\n")]),
            [
                "src/replay/read.rs:3: `crate::tool::Call`: `replay` may not name `tool`; it may name approval, canon, \
                 compile, crypto, delegation, ledger, nouns, policy",
                "src/replay/read.rs:3: `crate::tool::ToolRegistry`: `replay` may not name `tool`; it may name \
                 approval, canon, compile, crypto, delegation, ledger, nouns, policy",
            ]
        );
    }

    #[test]
    fn names_of_the_root_count_as_the_room_they_come_from() {
        let root =
            ("lib.rs", "pub mod tool;\npub use tool::{ToolRegistry, Call as Calling};\npub use serde_json::Value;\n");
        let found = faults_of(&[root, ("replay/mod.rs", "fn f(r: crate::ToolRegistry, v: crate::Value) {}")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("src/replay/mod.rs:1: `crate::ToolRegistry`: `replay` may not name `tool`"));
        assert_eq!(faults_of(&[root, ("compile.rs", "use super::Calling;")]).len(), 1);
        assert_eq!(faults_of(&[root, ("runtime/mod.rs", "use crate::{Calling, tool::Call};")]).len(), 0);
        assert_eq!(faults_of(&[root, ("runtime/mod.rs", "use crate::Unknown;")]).len(), 1);
    }

    #[test]
    fn ways_around_the_table_are_faults() {
        for (name, text) in [
            ("attic/mod.rs", "fn f() {}"),
            ("policy/mod.rs", "use crate as root; fn f() { root::tool::x() }"),
            ("policy/mod.rs", "use super::*;"),
            ("writ/mod.rs", "pub use crate::host::Clock;"),
            ("writ/mod.rs", "pub(crate) use crate::host::Clock;"),
        ] {
            assert_eq!(faults_of(&[(name, text)]).len(), 1, "{name}: {text}");
        }
    }

    #[test]
    fn files_that_only_tests_compile_may_name_anything() {
        let declares = ("policy/mod.rs", "#[cfg(test)]\nmod tests;\n");
        let test = ("policy/tests.rs", "use crate::tool::Call;");
        let helper = ("policy/tests/helper.rs", "use crate::tool::Call;");
        assert_eq!(faults_of(&[declares, test, helper]).len(), 0);
        assert_eq!(faults_of(&[("policy/mod.rs", "mod tests;\n"), test]).len(), 1);
    }
}
