//! The explorer reports what is there and nothing else, adapts to what it may not do, and always comes to an end.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper of a test may fail it"
)]

mod workspace;

use openthymos::{
    cognition::{Cognition, Explorer, Outcome, Request},
    intent::IntentKind,
    proposal::{Code, Refusal, Stage},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use workspace::{Run, Workspace, context, drive, drive_with};

const ALL: &[&str] = &["list_files", "fs_read", "grep", "fs_write"];

fn rust() -> Workspace {
    Workspace::new(&[
        (
            "Cargo.toml",
            "[package]\nname = \"ferrum\"\nversion = \"3.1.4\"\ndescription = \"Forges iron.\"\n[dependencies]\nhammer = \"1\"\n",
        ),
        ("README.md", "# Ferrum\n\nA smithy in a box. More text.\n"),
        ("src/lib.rs", "//! The smithy itself.\npub fn forge() {}\n// TODO cool the anvil\n"),
        ("src/tongs.rs", "//! Holds hot things.\npub struct Tongs;\nfn quench_temperature() {}\n"),
        ("tests/forge.rs", "#[test]\nfn iron_is_forged() {}\n"),
        ("target/debug/junk.rs", "pub fn junk() {}\n"),
    ])
}

fn javascript() -> Workspace {
    Workspace::new(&[
        (
            "package.json",
            r#"{"name":"sprout","version":"0.2.0","main":"lib/grow.js","dependencies":{"water":"1"},"scripts":{"test":"x"}}"#,
        ),
        ("lib/grow.js", "// Grows a plant.\nmodule.exports = 1;\n"),
        ("lib/grow.test.js", "test('grows', () => {});\n"),
        ("node_modules/water/index.js", "// Wet stuff here.\n"),
    ])
}

fn python() -> Workspace {
    Workspace::new(&[
        (
            "pyproject.toml",
            "[project]\nname = \"adder\"\nversion = \"9\"\ndependencies = [\"venom>=2\"]\n[project.scripts]\nadder = \"adder.cli:main\"\n",
        ),
        ("README.rst", "Adder\n=====\n\nBites numbers.\n"),
        ("adder/cli.py", "\"\"\"Starts the bite.\"\"\"\ndef main():\n    pass\n"),
        ("adder/test_bite.py", "def test_bite():\n    pass\n"),
    ])
}

fn requests(run: &Run) -> impl Iterator<Item = &Request> {
    run.turns.iter().flat_map(|turn| &turn.requests)
}

fn has(answer: &str, facts: &[&str]) {
    for fact in facts {
        assert!(answer.contains(fact), "`{fact}` is missing from:\n{answer}");
    }
}

fn has_not(answer: &str, others: &[&str]) {
    for other in others {
        assert!(!answer.contains(other), "`{other}` should not be in:\n{answer}");
    }
}

#[test]
fn a_rust_project_is_told_as_it_is() {
    let run = rust().explore("Where is quench_temperature decided?");
    has(
        &run.answer,
        &[
            "# ferrum 3.1.4",
            "Forges iron.",
            "“Ferrum”",
            "“A smithy in a box.”",
            "`hammer`",
            "Rust (3 files",
            "`src/lib.rs`: “The smithy itself.”",
            "tests: 1 line in 1 file; `tests/forge.rs:1`",
            "public items: 2 lines in 2 files",
            "`src/lib.rs:3` `// TODO cool the anvil`",
            "1 test file by name",
            "`src/tongs.rs:3` `fn quench_temperature() {}`",
            "`src/tongs.rs` says of itself “Holds hot things.”",
            "uses of `unsafe`: none found",
            "`target/`: not looked into",
            "5 files of",
        ],
    );
    has_not(&run.answer, &["junk", "sprout", "adder", "Python", "JavaScript"]);
    assert!(run.answer.trim_end().lines().last().unwrap().contains("no language model"));
}

#[test]
fn a_javascript_project_is_told_as_it_is() {
    let answer = javascript().explore("look around").answer;
    has(
        &answer,
        &[
            "# sprout 0.2.0",
            "JavaScript (2 files",
            "`lib/grow.js`: “Grows a plant.”",
            "`water`",
            "tests: 1 line",
            "There is no README",
            "scripts (1): `test`",
        ],
    );
    has_not(&answer, &["Wet stuff", "Rust", "Cargo", "ferrum", "unsafe", "Words of the task"]);
}

#[test]
fn a_python_project_is_told_as_it_is() {
    let answer = python().explore("look around").answer;
    has(
        &answer,
        &[
            "# adder 9",
            "Python (2 files",
            "`adder/cli.py`: “Starts the bite.”",
            "`venom`",
            "“Bites numbers.”",
            "functions and classes: 2 lines",
        ],
    );
    has_not(&answer, &["JavaScript", "Cargo", "unsafe"]);
}

#[test]
fn an_empty_folder_and_junk_are_told_as_they_are() {
    let answer = Workspace::new(&[]).explore("look for dragons").answer;
    has(&answer, &["The workspace is empty.", "There is no README", "There is no manifest"]);
    let junk = Workspace::new(&[("ünï cødé\u{202e}.bin", ""), ("a`b", "x")]);
    std::fs::write(junk.0.path().join("noise"), [0, 159, 146, 150]).unwrap();
    let answer = junk.explore("").answer;
    has(
        &answer,
        &[
            "# A workspace without a name",
            "3 files of 5 bytes",
            "`a'b`",
            "`ünï cødé.bin`",
            "3 files of no kind that I know",
        ],
    );
}

#[test]
fn malformed_manifests_and_binary_readmes_are_said_to_be_so() {
    let broken = Workspace::new(&[
        ("package.json", "{\"name\": "),
        ("Cargo.toml", "not toml at all"),
        ("go.mod", "module example.org/real\n"),
    ]);
    std::fs::write(broken.0.path().join("README.md"), [0xff, 0xfe, 0]).unwrap();
    let answer = broken.explore("").answer;
    has(
        &answer,
        &[
            "# example.org/real",
            "`package.json` could not be made out: it is not JSON",
            "`Cargo.toml` could not be made out",
            "`README.md` is binary",
        ],
    );
}

#[test]
fn the_same_tree_gives_the_same_turns() {
    for workspace in [rust, javascript, python] {
        assert_eq!(workspace().explore("find the anvil").turns, workspace().explore("find the anvil").turns);
    }
}

#[test]
fn a_new_explorer_continues_from_the_history() {
    let context = context("anvil quench_temperature", 100, ALL);
    let workspace = rust();
    let whole = drive(&context, |request| workspace.execute(request));
    let workspace = rust();
    let continued = drive_with(&context, |request| workspace.execute(request), |explorer| *explorer = Explorer::new());
    assert_eq!(whole.turns, continued.turns);
}

#[test]
fn reads_are_queries_and_nothing_is_asked_twice() {
    let run = rust().explore("anvil");
    let mut seen: Vec<(&str, &Value)> = Vec::new();
    for request in requests(&run) {
        assert!(!request.rationale.is_empty());
        assert_eq!(request.kind == IntentKind::Act, request.tool == "fs_write");
        assert!(!seen.contains(&(&request.tool, &request.args)), "{request:?}");
        seen.push((&request.tool, &request.args));
    }
    assert!(run.turns.iter().any(|turn| turn.requests.len() > 3), "independent calls go together");
    assert_eq!(Explorer::new().name(), "explorer (offline)");
}

#[test]
fn the_map_is_offered_once_and_its_fate_is_told() {
    let workspace = rust();
    let saved = workspace.explore("");
    has(&saved.answer, &["saved as `thymos-map.md`"]);
    let map = std::fs::read_to_string(workspace.0.path().join("thymos-map.md")).unwrap();
    has(&map, &["# ferrum 3.1.4", "no language model"]);

    let refuse = |request: &Request| match request.tool.as_str() {
        "fs_write" => Outcome::Refused(Refusal::new(Stage::Effect, Code::EffectAboveCeiling)),
        _ => rust().execute(request),
    };
    for tools in [ALL, &ALL[..3]] {
        let run = drive(&context("", 100, tools), refuse);
        has(
            &run.answer,
            &["# ferrum", "not saved: the offer to write `thymos-map.md` was refused at effect: effect_above_ceiling"],
        );
        let writes: Vec<_> = requests(&run).filter(|request| request.tool == "fs_write").collect();
        assert_eq!(writes.len(), 1);
        assert!(writes[0].rationale.contains("read-only") && writes[0].rationale.contains("refuse"));
    }
}

#[test]
fn everything_refused_is_told_and_ends_soon() {
    let scope = |_: &Request| Outcome::Refused(Refusal::new(Stage::Scope, Code::OutOfScope));
    let run = drive(&context("dragons", 100, ALL), scope);
    assert!(run.turns.len() <= 5 && run.history.len() < 10, "{} calls", run.history.len());
    has(&run.answer, &["`list_files` was refused at scope: out_of_scope", "`grep`", "not saved"]);
    has_not(&run.answer, &["empty", "There is no"]);
    let revoked = |_: &Request| Outcome::Refused(Refusal::new(Stage::Revocation, Code::Revoked));
    let run = drive(&context("dragons", 100, ALL), revoked);
    assert_eq!(run.history.len(), 1);
    has(&run.answer, &["revocation", "could not have succeeded"]);
}

#[test]
fn tools_that_are_not_offered_are_not_used() {
    let workspace = rust();
    let run = drive(&context("anvil", 100, &["fs_read"]), |request| workspace.execute(request));
    assert!(requests(&run).all(|request| ["fs_read", "fs_write"].contains(&request.tool.as_str())));
    has(
        &run.answer,
        &["# ferrum 3.1.4", "`list_files` is not offered", "`grep` is not offered", "`anvil`: not searched for"],
    );
    let run = drive(&context("anvil", 100, &[]), |_| Outcome::Refused(Refusal::new(Stage::Scope, Code::OutOfScope)));
    assert_eq!(run.history.len(), 1);
}

#[test]
fn a_tool_that_the_writ_does_not_cover_is_tried_in_one_turn_only() {
    let workspace = rust();
    let run = drive(&context("tongs", 100, ALL), |request| match request.tool.as_str() {
        "fs_read" => Outcome::Refused(Refusal::new(Stage::Scope, Code::OutOfScope)),
        _ => workspace.execute(request),
    });
    let reading = run.turns.iter().filter(|turn| turn.requests.iter().any(|request| request.tool == "fs_read"));
    assert_eq!(reading.count(), 1);
    has(&run.answer, &["`fs_read` of `Cargo.toml` was refused at scope", "Rust (3 files", "`src/lib.rs`, not read"]);
    has_not(&run.answer, &["ferrum", "There is no"]);
}

#[test]
fn a_small_budget_ends_early_and_says_so() {
    for calls in 0..12 {
        let workspace = rust();
        let run = drive(&context("quench_temperature", calls, ALL), |request| workspace.execute(request));
        assert!(run.history.len() as u64 <= calls);
        has(&run.answer, &["the budget of calls ran low, and I stopped before"]);
    }
    let workspace = rust();
    let run = drive(&context("", 6, ALL), |request| workspace.execute(request));
    has(&run.answer, &["# ferrum 3.1.4", "saved as"]);
}

#[test]
fn what_a_tool_returns_may_have_any_shape() {
    let shapes =
        [json!(null), json!([]), json!({"files": ["a.rs", "src/", 3, {}]}), json!("text"), json!({"entries": [[]]})];
    for shape in &shapes {
        drive(&context("dragons", 100, ALL), |_| Outcome::Committed { output: shape.clone() });
    }
    let listed = drive(&context("", 100, ALL), |request| match request.tool.as_str() {
        "list_files" => Outcome::Committed { output: json!({"files": ["go.mod", "cmd/"], "truncated": true}) },
        _ => Outcome::Committed { output: json!("module example.org/x") },
    });
    has(&listed.answer, &["# example.org/x", "the size of 1 file was not told", "was cut, so there is more"]);
}

#[test]
fn calls_that_were_not_attempted_are_made_once_more() {
    let workspace = rust();
    let mut first = true;
    let run = drive(&context("", 100, ALL), |request| {
        if request.tool == "fs_read" && std::mem::take(&mut first) {
            Outcome::NotAttempted
        } else {
            workspace.execute(request)
        }
    });
    has(&run.answer, &["“A smithy in a box.”", "# ferrum"]);
}

fn outcome() -> impl Strategy<Value = Option<Outcome>> {
    let failed = |effect: &str| Outcome::Failed { cause: "x".into(), message: "y".into(), effect: effect.into() };
    prop_oneof![
        6 => Just(None),
        1 => Just(Some(Outcome::Refused(Refusal::new(Stage::Policy, Code::PolicyDenied)))),
        1 => Just(Some(Outcome::Refused(Refusal::new(Stage::Scope, Code::OutOfScope)))),
        1 => Just(Some(failed("none"))),
        1 => Just(Some(failed("unknown"))),
        1 => Just(Some(Outcome::Suspended { reason: "z".into() })),
        1 => Just(Some(Outcome::NotAttempted)),
        1 => Just(Some(Outcome::Committed { output: json!({"entries": [{"path": "x/y.rs"}, {"path": "x", "kind": "dir"}]}) })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_always_comes_to_an_end(
        files in prop::collection::vec(("(src/|lib/|a/b/c/)?(main|lib|README|Cargo|package|go|é)\\.(rs|py|md|toml|json|mod)", "\\PC{0,60}"), 0..8),
        outcomes in prop::collection::vec(outcome(), 1..40),
        task in "\\PC{0,60}",
        calls in 0_u64..60,
    ) {
        let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
        let workspace = Workspace::new(&files);
        let mut turn = outcomes.iter().cycle();
        let run = drive(&context(&task, calls, ALL), |request| {
            turn.next().unwrap().clone().unwrap_or_else(|| workspace.execute(request))
        });
        prop_assert!(run.turns.len() <= 20);
        prop_assert!(requests(&run).filter(|request| request.tool == "fs_write").count() <= 1);
    }
}
