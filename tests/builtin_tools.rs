//! The stock tools: what each promises, and that none leaves its workspace.
#![cfg(all(feature = "tools", unix))]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures::executor::block_on;
use openthymos::{
    canon::{FileHash, MAX_BLOB_BYTES, ProposalId, domain, to_canonical},
    commit::{Change, Delta},
    contract::{SealedContract, Touches},
    host::{Spawn, ThreadSpawn},
    tool::{
        Call, CancelToken, Probe, Reads, ToolContract, ToolError, ToolOutput, ToolRegistry,
        builtin::{self, Workspace},
    },
    world::ResourceId,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

fn spawn() -> Arc<dyn Spawn> {
    static THREADS: LazyLock<Arc<ThreadSpawn>> = LazyLock::new(Arc::default);
    Arc::clone(&*THREADS) as Arc<dyn Spawn>
}

/// A call as a runtime would make it, after the schema has passed.
fn prepare(tool: &dyn ToolContract, args: &Value, probe: Option<FileHash>) -> Call {
    SealedContract::new(tool.contract()).unwrap().check_arguments(args).unwrap();
    tool.check_arguments(args).unwrap();
    Call {
        args: args.clone(),
        reads: Reads::default(),
        probe,
        proposal: ProposalId::ZERO,
        deadline: Duration::from_secs(30),
        cancel: CancelToken::default(),
        spawn: spawn(),
    }
}

fn probe(tool: &dyn ToolContract, args: &Value) -> Result<Probe, ToolError> {
    block_on(tool.probe(args, &spawn()))
}

/// Probes, calls, and checks what the tool promises of its output.
fn call(tool: &dyn ToolContract, args: &Value) -> Result<ToolOutput, ToolError> {
    let found = probe(tool, args)?;
    let output = block_on(tool.call(prepare(tool, args, found.version)))?;
    tool.postcondition(args, &Reads::default(), &output).unwrap();
    let bytes = to_canonical(&output.output).unwrap().len();
    assert!(bytes <= MAX_BLOB_BYTES / 2, "{bytes} bytes of output");
    Ok(output)
}

struct Bench {
    /// Holds the workspace, `root`, and what lies outside.
    outer: TempDir,
    tools: ToolRegistry,
}

impl Bench {
    fn new() -> Self {
        let outer = TempDir::new().unwrap();
        fs::create_dir(outer.path().join("root")).unwrap();
        fs::write(outer.path().join("canary"), "CANARY").unwrap();
        let mut tools = ToolRegistry::default();
        for tool in Workspace::open(&outer.path().join("root")).unwrap().tools() {
            tools.register(tool).unwrap();
        }
        Self { outer, tools }
    }

    fn with(files: &[(&str, &[u8])]) -> Self {
        let bench = Self::new();
        for (path, content) in files {
            bench.put(path, content);
        }
        bench
    }

    fn root(&self) -> std::path::PathBuf {
        self.outer.path().join("root")
    }

    fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn get(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    fn tool(&self, name: &str) -> &dyn ToolContract {
        self.tools.get(&name.parse().unwrap()).unwrap().as_ref()
    }

    fn call(&self, name: &str, args: Value) -> Result<Value, ToolError> {
        call(self.tool(name), &args).map(|output| output.output)
    }

    fn ok(&self, name: &str, args: Value) -> Value {
        self.call(name, args).unwrap()
    }

    /// The reason of a refusal, which must promise that nothing happened.
    fn refused(&self, name: &str, args: Value) -> String {
        match self.call(name, args.clone()) {
            Err(ToolError::NotDone(why)) => why,
            other => panic!("{name} {args}: {other:?}"),
        }
    }

    fn paths(&self, args: Value) -> Vec<String> {
        let listed = self.ok("list_files", args);
        listed["entries"].as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
    }

    fn hits(&self, args: Value) -> Vec<String> {
        let found = self.ok("grep", args);
        let hit = |hit: &Value| {
            format!("{}:{}:{}", hit["path"].as_str().unwrap(), hit["line"], hit["text"].as_str().unwrap())
        };
        found["matches"].as_array().unwrap().iter().map(hit).collect()
    }
}

fn mkfifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

// ---- every tool ----

#[test]
fn contracts_describe_every_argument_and_refuse_unknown_ones() {
    let bench = Bench::new();
    let mut contracts: Vec<_> = bench.tools.contracts().iter().cloned().collect();
    contracts.extend(builtin::kv().iter().map(|tool| SealedContract::new(tool.contract()).unwrap()));
    assert_eq!(contracts.len(), 7);
    for contract in contracts {
        assert!(contract.description.len() > 40, "{}", contract.name);
        assert_eq!(contract.schema["additionalProperties"], json!(false), "{}", contract.name);
        assert_eq!(contract.schema.get("title"), None, "a Rust name in the schema of {}", contract.name);
        for (name, argument) in contract.schema["properties"].as_object().unwrap() {
            assert!(argument["description"].as_str().is_some_and(|text| text.len() > 20), "{} {name}", contract.name);
        }
        assert!(contract.check_arguments(&json!({ "path": "a", "surprise": 1 })).is_err());
        assert_eq!(contract.has_host_effect(), contract.name.as_str() == "fs_write");
        assert_eq!(contract.touches == Touches::World, contract.name.as_str().starts_with("kv_"));
    }
}

#[test]
fn nothing_outside_is_reached() {
    let bench = Bench::with(&[("in/file", b"inside")]);
    let root = bench.root();
    let canary = bench.outer.path().join("canary");
    symlink(&canary, root.join("link")).unwrap();
    symlink("../canary", root.join("relative")).unwrap();
    symlink(bench.outer.path(), root.join("dir")).unwrap();
    symlink("../new", root.join("dangling")).unwrap();
    symlink("in/file", root.join("inner")).unwrap();
    symlink("in", root.join("inner_dir")).unwrap();
    let absolute = canary.to_str().unwrap();
    for path in [
        absolute,
        "/etc/passwd",
        "/dev/null",
        "//dev/null",
        "../canary",
        "in/../../canary",
        "in/../in/file",
        "./../canary",
        "link",
        "relative",
        "dir/canary",
        "dir/root/in/file",
        "dangling",
        "inner",
        "inner_dir/file",
        "dir/new",
        "",
        ".",
        "a\0b",
    ] {
        for (tool, args) in [
            ("fs_read", json!({ "path": path })),
            ("fs_write", json!({ "path": path, "content": "changed", "create_dirs": true })),
            ("fs_write", json!({ "path": path, "content": null })),
        ] {
            let why = bench.refused(tool, args);
            assert!(!why.contains("CANARY"));
        }
        if !["", "."].contains(&path) {
            bench.refused("grep", json!({ "path": path, "pattern": "." }));
            bench.refused("list_files", json!({ "path": path }));
        }
    }
    for path in ["dir", "inner_dir", "dir/root", "..", "/"] {
        bench.refused("list_files", json!({ "path": path }));
        bench.refused("grep", json!({ "path": path, "pattern": "." }));
    }
    assert_eq!(bench.paths(json!({})), ["dangling", "dir", "in", "in/file", "inner", "inner_dir", "link", "relative"]);
    assert_eq!(bench.hits(json!({ "pattern": "." })), ["in/file:1:inside"]);
    for path in ["link", "relative", "dangling", "inner"] {
        let why = bench.refused("fs_write", json!({ "path": path, "content": "x" }));
        assert_eq!(why, format!("`{path}` is a symbolic link, and links are not followed"));
    }
    assert_eq!(fs::read_to_string(canary).unwrap(), "CANARY");
    assert!(!bench.outer.path().join("new").exists());
    assert!(bench.root().join("link").is_symlink());
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let bench = Bench::with(&[("dir/file", b"x")]);
    mkfifo(&bench.root().join("fifo"));
    let _socket = std::os::unix::net::UnixListener::bind(bench.root().join("socket")).unwrap();
    for path in ["fifo", "socket"] {
        for (tool, args) in [
            ("fs_read", json!({ "path": path })),
            ("fs_write", json!({ "path": path, "content": "x" })),
            ("fs_write", json!({ "path": path, "content": null })),
            ("grep", json!({ "path": path, "pattern": "x" })),
        ] {
            assert_eq!(bench.refused(tool, args), format!("`{path}` is not a regular file"));
        }
        bench.refused("fs_read", json!({ "path": format!("{path}/below") }));
    }
    for (tool, args) in [
        ("fs_read", json!({ "path": "dir" })),
        ("fs_write", json!({ "path": "dir", "content": "x" })),
        ("fs_write", json!({ "path": "dir", "content": null })),
    ] {
        assert_eq!(bench.refused(tool, args), "`dir` is a directory");
    }
    assert_eq!(bench.hits(json!({ "pattern": "x" })), ["dir/file:1:x"]);
    let listed = bench.ok("list_files", json!({ "depth": 1 }));
    assert_eq!(listed["entries"][1], json!({ "path": "fifo", "kind": "other" }));
}

#[test]
fn the_ledgers_own_files_are_invisible_and_out_of_reach() {
    let bench = Bench::with(&[
        (".thymos/ledger", b"secret"),
        ("a/.THYMOS/ledger", b"secret"),
        ("a/.Thymos", b"secret"),
        (".thymos-0011", b"secret"),
        ("a/b", b"plain"),
    ]);
    assert_eq!(bench.paths(json!({ "include_ignored": true })), ["a", "a/b"]);
    assert_eq!(bench.hits(json!({ "pattern": "secret|plain" })), ["a/b:1:plain"]);
    for path in
        [".thymos/ledger", ".thymos/new", "a/.THYMOS/ledger", "a/.Thymos", ".thymos-0011", "./.tHyMoS/x", ".thymos"]
    {
        for (tool, args) in [
            ("fs_read", json!({ "path": path })),
            ("fs_write", json!({ "path": path, "content": "x", "create_dirs": true })),
            ("list_files", json!({ "path": path })),
            ("grep", json!({ "path": path, "pattern": "x" })),
        ] {
            assert!(bench.refused(tool, args).ends_with("is reserved for the ledger"));
        }
    }
}

#[test]
fn a_repositorys_store_is_not_walked_and_not_written() {
    let bench = Bench::with(&[(".git/config", b"text"), ("sub/.git/config", b"text"), ("sub/file", b"text")]);
    assert_eq!(bench.paths(json!({ "include_ignored": true })), ["sub", "sub/file"]);
    assert_eq!(bench.hits(json!({ "pattern": "text" })), ["sub/file:1:text"]);
    for path in [".git/config", "sub/.GIT/hooks/pre-commit", ".git"] {
        let why = bench.refused("fs_write", json!({ "path": path, "content": "x", "create_dirs": true }));
        assert!(why.ends_with("is reserved for git"), "{why}");
    }
    assert_eq!(bench.ok("fs_read", json!({ "path": ".git/config" }))["content"], "text");
}

#[test]
fn names_that_are_not_utf8_are_skipped_and_counted() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::with(&[("é😀", b"hit"), ("line\nbreak", b"hit")]);
    fs::write(bench.root().join(std::ffi::OsStr::from_bytes(b"bad\xff")), "hit").unwrap();
    let listed = bench.ok("list_files", json!({}));
    assert_eq!(listed["skipped"]["not_utf8_names"], 1);
    assert_eq!(bench.paths(json!({})), ["line\nbreak", "é😀"]);
    let found = bench.ok("grep", json!({ "pattern": "hit" }));
    assert_eq!((found["matches"].as_array().unwrap().len(), &found["skipped"]["not_utf8_names"]), (2, &json!(1)));
}

#[test]
fn errors_name_the_path_and_not_the_machine() {
    let bench = Bench::new();
    assert_eq!(bench.refused("fs_read", json!({ "path": "a/b" })), "`a` does not exist");
    assert_eq!(bench.refused("fs_read", json!({ "path": "b" })), "`b` does not exist");
    assert_eq!(bench.refused("list_files", json!({ "path": "b" })), "`b` does not exist");
    assert_eq!(bench.refused("grep", json!({ "path": "b", "pattern": "x" })), "`b` does not exist");
    assert_eq!(bench.refused("fs_write", json!({ "path": "b", "content": null })), "`b` does not exist");
    let long = "n".repeat(300);
    assert!(bench.refused("fs_read", json!({ "path": long })).starts_with(&format!("`{long}`")));
    assert!(!bench.refused("fs_read", json!({ "path": "b" })).contains(bench.root().to_str().unwrap()));
}

// ---- list_files ----

#[test]
fn a_listing_is_sorted_and_has_kinds_and_sizes() {
    let bench = Bench::with(&[("b", b"12345"), ("a/z", b""), ("a/y/x", b"1"), ("a.txt", "é".as_bytes())]);
    let listed = bench.ok("list_files", json!({}));
    assert_eq!(
        listed["entries"],
        json!([
            { "path": "a", "kind": "dir" },
            { "path": "a/y", "kind": "dir" },
            { "path": "a/y/x", "kind": "file", "bytes": 1 },
            { "path": "a/z", "kind": "file", "bytes": 0 },
            { "path": "a.txt", "kind": "file", "bytes": 2 },
            { "path": "b", "kind": "file", "bytes": 5 },
        ])
    );
    assert_eq!((&listed["truncated"], &listed["found"], &listed["path"]), (&json!(false), &json!(6), &json!(".")));
    assert_eq!(bench.paths(json!({ "depth": 1 })), ["a", "a.txt", "b"]);
    assert_eq!(bench.paths(json!({ "path": "a/", "depth": 1 })), ["a/y", "a/z"]);
    assert_eq!(bench.paths(json!({ "glob": "*.txt" })), ["a.txt"]);
    assert_eq!(bench.paths(json!({ "glob": "x" })), ["a/y/x"]);
    assert_eq!(bench.paths(json!({ "glob": "a/*" })), ["a/y", "a/z"]);
    assert_eq!(bench.paths(json!({ "glob": "**/[xz]" })), ["a/y/x", "a/z"]);
    assert!(bench.refused("list_files", json!({ "glob": "[" })).starts_with("glob `[` is not valid"));
}

#[test]
fn a_cut_listing_says_so_and_keeps_what_lies_highest() {
    let bench = Bench::with(&[("a/b/c/d", b""), ("a/b/e", b""), ("f", b""), ("g", b"")]);
    let listed = bench.ok("list_files", json!({ "limit": 4 }));
    assert_eq!((&listed["truncated"], &listed["found"]), (&json!(true), &json!(7)));
    assert_eq!(bench.paths(json!({ "limit": 4 })), ["a", "a/b", "f", "g"]);
    assert_eq!(bench.ok("list_files", json!({ "limit": 7 }))["truncated"], false);
    for number in 0..600 {
        bench.put(&format!("many/{number}"), "");
    }
    let listed = bench.ok("list_files", json!({}));
    assert_eq!((listed["entries"].as_array().unwrap().len(), &listed["truncated"]), (500, &json!(true)));
}

#[test]
fn ignore_files_hold_below_their_directory_and_can_be_overridden() {
    let bench = Bench::with(&[
        (".gitignore", b"/target\n*.log\n# note\nlocal/\n"),
        ("target/debug/out", b"hit"),
        ("a.log", b"hit"),
        ("sub/.gitignore", b"!keep.log\r\n/only\n"),
        ("sub/keep.log", b"hit"),
        ("sub/drop.log", b"hit"),
        ("sub/only", b"hit"),
        ("sub/deep/only", b"hit"),
        ("sub/local/x", b"hit"),
        ("other/target", b"hit"),
    ]);
    let visible = ["other/target", "sub/deep/only", "sub/keep.log"];
    let found = bench.hits(json!({ "pattern": "hit" }));
    assert_eq!(found, visible.map(|path| format!("{path}:1:hit")));
    assert_eq!(bench.ok("list_files", json!({}))["skipped"]["ignored"], 5);
    assert_eq!(bench.paths(json!({ "path": "sub" })), ["sub/.gitignore", "sub/deep", "sub/deep/only", "sub/keep.log"]);
    assert_eq!(bench.paths(json!({ "path": "target", "depth": 1 })), ["target/debug"]);
    assert_eq!(bench.hits(json!({ "pattern": "hit", "include_ignored": true })).len(), 8);
    assert_eq!(bench.hits(json!({ "pattern": "hit", "path": "sub/drop.log" })), ["sub/drop.log:1:hit"]);
}

// ---- fs_read ----

#[test]
fn a_read_is_lossless_and_says_how_much_there_is() {
    let text = "\u{feff}one\r\ntwo\r\n\nthrée";
    let bench = Bench::with(&[("text", text.as_bytes()), ("empty", b"")]);
    let read = bench.ok("fs_read", json!({ "path": "./text" }));
    let hash = FileHash(domain::FILE.hash(&[text.as_bytes()]));
    assert_eq!(
        read,
        json!({
            "path": "text", "content": text, "offset": 0, "line": 1, "total_bytes": text.len(), "total_lines": 4,
            "truncated": false, "next_offset": null, "hash": hash.to_string(),
        })
    );
    let empty = bench.ok("fs_read", json!({ "path": "empty" }));
    assert_eq!((&empty["content"], &empty["total_lines"], &empty["truncated"]), (&json!(""), &json!(0), &json!(false)));
    assert_eq!(bench.ok("fs_read", json!({ "path": "text", "line": 2 }))["content"], "two\r\n\nthrée");
    let last = bench.ok("fs_read", json!({ "path": "text", "line": 4 }));
    assert_eq!((&last["content"], &last["line"]), (&json!("thrée"), &json!(4)));
    assert_eq!(
        bench.refused("fs_read", json!({ "path": "text", "line": 5 })),
        "`text` has 4 lines: line 5 lies beyond its end"
    );
    assert_eq!(
        bench.refused("fs_read", json!({ "path": "empty", "offset": 1 })),
        "`empty` has 0 bytes: offset 1 lies beyond its end"
    );
    bench.refused("fs_read", json!({ "path": "text", "line": 1, "offset": 1 }));
    assert_eq!(bench.ok("fs_read", json!({ "path": "text", "offset": text.len() }))["content"], "");
}

#[test]
fn pieces_join_to_the_whole_wherever_characters_are_cut() {
    let text = "aé漢😀\n".repeat(40);
    let bench = Bench::with(&[("text", text.as_bytes())]);
    for limit in 4..=13 {
        let (mut joined, mut offset) = (String::new(), Some(0));
        while let Some(at) = offset {
            let piece = bench.ok("fs_read", json!({ "path": "text", "offset": at, "limit": limit }));
            let content = piece["content"].as_str().unwrap();
            assert!(!content.is_empty() && content.len() <= limit);
            assert_eq!(piece["line"], json!(joined.matches('\n').count() + 1));
            joined.push_str(content);
            assert_eq!(piece["truncated"], json!(piece["next_offset"].is_u64()));
            offset = piece["next_offset"].as_u64();
        }
        assert_eq!(joined, text);
    }
    for offset in 0..12 {
        let piece = bench.ok("fs_read", json!({ "path": "text", "offset": offset, "limit": 8 }));
        let (start, content) = (piece["offset"].as_u64().unwrap() as usize, piece["content"].as_str().unwrap());
        assert!(start <= offset && text[start..].starts_with(content));
    }
}

#[test]
fn a_read_is_bounded() {
    let big = format!("{}é{}", "x".repeat(65_535), "y".repeat(1 << 20));
    let bench = Bench::with(&[("big", big.as_bytes())]);
    let read = bench.ok("fs_read", json!({ "path": "big" }));
    assert_eq!((read["content"].as_str().unwrap().len(), &read["next_offset"]), (65_535, &json!(65_535)));
    assert_eq!((&read["total_bytes"], &read["total_lines"]), (&json!(big.len()), &json!(1)));
    assert_eq!(
        bench.ok("fs_read", json!({ "path": "big", "limit": 524_288 }))["content"].as_str().unwrap().len(),
        524_288
    );
    let contract = SealedContract::new(bench.tool("fs_read").contract()).unwrap();
    assert!(contract.check_arguments(&json!({ "path": "big", "limit": 524_289 })).is_err());
    fs::File::create(bench.root().join("huge")).unwrap().set_len((16 << 20) + 1).unwrap();
    assert!(bench.refused("fs_read", json!({ "path": "huge" })).starts_with("`huge` has 16777217 bytes"));
    assert!(
        bench.refused("fs_write", json!({ "path": "huge", "content": "" })).starts_with("`huge` has 16777217 bytes")
    );
    assert_eq!(bench.ok("grep", json!({ "pattern": "zzz" }))["skipped"]["too_large"], 1);
}

#[test]
fn binary_files_are_refused_with_their_size() {
    let bench = Bench::with(&[("latin", b"caf\xe9"), ("zero", b"a\0b"), ("text", b"cafa")]);
    assert_eq!(bench.refused("fs_read", json!({ "path": "latin" })), "`latin` is binary (4 bytes)");
    assert_eq!(bench.refused("fs_read", json!({ "path": "zero" })), "`zero` is binary (3 bytes)");
    let found = bench.ok("grep", json!({ "pattern": "a" }));
    assert_eq!((&found["skipped"]["binary"], &found["files_searched"]), (&json!(2), &json!(1)));
}

// ---- grep ----

#[test]
fn matches_come_in_order_with_lines_and_without_line_ends() {
    let bench =
        Bench::with(&[("b", b"x\r\nhit\r\n\r\nhit"), ("a/z", b"hit"), ("a.rs", "né hit".as_bytes()), ("e", b"")]);
    assert_eq!(bench.hits(json!({ "pattern": "hit$" })), ["a/z:1:hit", "a.rs:1:né hit", "b:2:hit", "b:4:hit"]);
    assert_eq!(bench.hits(json!({ "pattern": "(?i)HIT", "glob": "*.rs" })), ["a.rs:1:né hit"]);
    assert_eq!(bench.hits(json!({ "pattern": "hit", "path": "a" })), ["a/z:1:hit"]);
    assert_eq!(bench.hits(json!({ "pattern": "hit", "path": "b" })), ["b:2:hit", "b:4:hit"]);
    let all = bench.ok("grep", json!({ "pattern": "hit", "limit": 4 }));
    assert_eq!((&all["truncated"], &all["files_searched"]), (&Value::Null, &json!(4)));
    assert_eq!(bench.ok("grep", json!({ "pattern": "hit", "limit": 3 }))["truncated"], "limit");
    assert_eq!(bench.hits(json!({ "pattern": "hit", "limit": 2 })), ["a/z:1:hit", "a.rs:1:né hit"]);
}

#[test]
fn long_lines_are_shortened_around_the_match_between_characters() {
    for lead in 0..5 {
        let line = format!("{}{}NEEDLE{}", "x".repeat(lead), "😀".repeat(125_000), "漢".repeat(170_000));
        let bench = Bench::with(&[("long", line.as_bytes())]);
        let found = bench.ok("grep", json!({ "pattern": "NEEDLE" }));
        let text = found["matches"][0]["text"].as_str().unwrap();
        assert!(text.len() <= 404 && text.len() > 390 && text.contains("😀NEEDLE漢"), "{} {text}", text.len());
        assert_eq!(found["matches"][0]["cut"], true);
        let end = bench.ok("grep", json!({ "pattern": "漢$" }));
        assert!(end["matches"][0]["text"].as_str().unwrap().ends_with('漢'));
    }
    let bench = Bench::with(&[("exact", "é".repeat(200).as_bytes()), ("over", "é".repeat(201).as_bytes())]);
    let found = bench.ok("grep", json!({ "pattern": "é" }));
    assert_eq!(found["matches"][0]["cut"], false);
    assert_eq!(
        (found["matches"][1]["text"].as_str().unwrap(), &found["matches"][1]["cut"]),
        ("é".repeat(200).as_str(), &json!(true))
    );
}

#[test]
fn a_search_is_bounded_and_bad_patterns_are_explained() {
    let bench = Bench::with(&[
        ("a", "\u{1}\u{2}hit\n".repeat(50_000).as_bytes()),
        ("b", format!("{}\n", "q".repeat(350)).repeat(2000).as_bytes()),
    ]);
    let found = bench.ok("grep", json!({ "pattern": "hit" }));
    assert_eq!((found["matches"].as_array().unwrap().len(), &found["truncated"]), (100, &json!("limit")));
    let found = bench.ok("grep", json!({ "pattern": "q", "limit": 1000 }));
    assert_eq!(found["truncated"], "output_bytes");
    let why = bench.refused("grep", json!({ "pattern": "(a" }));
    assert_eq!(why, "pattern `(a` is not valid: unclosed group");
    assert!(bench.refused("grep", json!({ "pattern": "\\w{1000}{1000}" })).contains("too large"));
    bench.refused("grep", json!({ "pattern": "x", "glob": "{" }));
}

#[test]
fn a_cancelled_walk_stops() {
    let bench = Bench::with(&[("a/b", b"x")]);
    for (name, args) in [("list_files", json!({})), ("grep", json!({ "pattern": "x" }))] {
        let call = prepare(bench.tool(name), &args, None);
        call.cancel.cancel();
        assert_eq!(block_on(bench.tool(name).call(call)), Err(ToolError::NotDone("cancelled".into())));
    }
}

// ---- fs_write ----

#[test]
fn a_write_creates_replaces_and_removes_and_can_be_undone() {
    let bench = Bench::with(&[("old", "älter\r\n".as_bytes())]);
    let write = bench.tool("fs_write");
    for (args, action, after) in [
        (json!({ "path": "new", "content": "new" }), "created", Some("new")),
        (json!({ "path": "old", "content": "" }), "replaced", Some("")),
        (json!({ "path": "old", "content": null }), "removed", None),
    ] {
        let path = args["path"].as_str().unwrap();
        let before = fs::read_to_string(bench.root().join(path)).ok();
        assert!(probe(write, &args).unwrap().compensable);
        let output = call(write, &args).unwrap();
        assert_eq!((&output.output["action"], &output.output["path"]), (&json!(action), &json!(path)));
        assert_eq!(output.delta, Delta::none());
        assert_eq!(fs::read_to_string(bench.root().join(path)).ok().as_deref(), after);
        let (tool, undo) = output.undo.unwrap();
        assert_eq!((tool.as_str(), &undo["content"]), ("fs_write", &json!(before)));
        call(write, &undo).unwrap();
        assert_eq!(fs::read_to_string(bench.root().join(path)).ok(), before);
    }
    assert_eq!(fs::read_dir(bench.root()).unwrap().count(), 1, "something was left behind");
}

#[test]
fn a_write_is_not_judged_by_arguments_whose_content_is_masked() {
    let bench = Bench::new();
    let write = bench.tool("fs_write");
    let output = call(write, &json!({ "path": "file", "content": "the secret itself" })).unwrap();
    for masked in [json!("[redacted:github-token:0102030405060708]"), json!({ "$secret": "DOOR" })] {
        let args = json!({ "path": "file", "content": masked });
        assert_eq!(write.postcondition(&args, &Reads::default(), &output), Ok(()), "{args}");
    }
}

#[test]
fn an_undo_does_not_overwrite_what_came_after() {
    let bench = Bench::with(&[("file", b"one")]);
    let write = bench.tool("fs_write");
    let undo = call(write, &json!({ "path": "file", "content": "two" })).unwrap().undo.unwrap().1;
    bench.put("file", "three");
    assert!(probe(write, &undo).is_err());
    assert_eq!(bench.get("file"), "three");
}

#[test]
fn a_forgotten_content_does_not_remove_a_file() {
    let bench = Bench::with(&[("file", b"x")]);
    let tool = bench.tool("fs_write");
    let args = json!({ "path": "file" });
    assert!(tool.check_arguments(&args).is_err());
    assert!(SealedContract::new(tool.contract()).unwrap().check_arguments(&args).is_err());
    assert!(probe(tool, &args).is_err());
}

#[test]
fn a_file_that_changed_since_the_probe_is_left_alone() {
    let bench = Bench::with(&[("file", b"one")]);
    let tool = bench.tool("fs_write");
    for (path, content) in [("file", json!("mine")), ("file", Value::Null), ("absent", json!("mine"))] {
        let args = json!({ "path": path, "content": content });
        let probed = probe(tool, &args).unwrap().version;
        let call = prepare(tool, &args, probed);
        bench.put(path, format!("theirs {content}"));
        let error = block_on(tool.call(call)).unwrap_err();
        assert_eq!(error, ToolError::NotDone(format!("`{path}` changed since the call was decided")));
        assert_eq!(bench.get(path), format!("theirs {content}"));
    }
    let unprobed = prepare(tool, &json!({ "path": "file", "content": "" }), None);
    assert!(matches!(block_on(tool.call(unprobed)), Err(ToolError::NotDone(_))));
}

#[test]
fn a_hash_that_was_asked_for_is_compared() {
    let bench = Bench::with(&[("file", b"one")]);
    let hash = bench.ok("fs_read", json!({ "path": "file" }))["hash"].clone();
    let absent = FileHash::ZERO.to_string();
    bench.refused("fs_write", json!({ "path": "file", "content": "x", "if_hash": absent }));
    bench.refused("fs_write", json!({ "path": "new", "content": "x", "if_hash": hash }));
    let written = bench.ok("fs_write", json!({ "path": "file", "content": "two", "if_hash": hash }));
    assert_eq!((&written["old_hash"], bench.get("file").as_str()), (&hash, "two"));
    assert_eq!(bench.ok("fs_read", json!({ "path": "file" }))["hash"], written["hash"]);
    bench.ok("fs_write", json!({ "path": "new", "content": "x", "if_hash": absent }));
}

#[test]
fn missing_directories_are_created_only_on_demand() {
    let bench = Bench::with(&[("file", b"")]);
    let why = bench.refused("fs_write", json!({ "path": "a/b/c", "content": "x" }));
    assert_eq!(why, "`a/b` does not exist: `create_dirs` would create it");
    assert!(!bench.root().join("a").exists());
    bench.ok("fs_write", json!({ "path": "a/b/c", "content": "x", "create_dirs": true }));
    assert_eq!(bench.get("a/b/c"), "x");
    let why = bench.refused("fs_write", json!({ "path": "file/c", "content": "x", "create_dirs": true }));
    assert_eq!(why, "`file` is not a directory");
}

#[test]
fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
    let bench = Bench::with(&[("dir/file", b"old")]);
    let tool = bench.tool("fs_write");
    // A name that is too long passes the probe's look and fails only in the act.
    let long = "n".repeat(300);
    let args = json!({ "path": format!("fresh/deeper/{long}"), "content": "x", "create_dirs": true });
    let call_args = prepare(tool, &args, Some(FileHash::ZERO));
    assert!(matches!(block_on(tool.call(call_args)), Err(ToolError::NotDone(_))));
    assert!(!bench.root().join("fresh").exists(), "new directories were left behind");
    let args = json!({ "path": "dir/file", "content": "new" });
    let cancelled = prepare(tool, &args, probe(tool, &args).unwrap().version);
    cancelled.cancel.cancel();
    assert_eq!(block_on(tool.call(cancelled)), Err(ToolError::NotDone("cancelled".into())));
    assert_eq!(bench.get("dir/file"), "old");
    assert_eq!(fs::read_dir(bench.root().join("dir")).unwrap().count(), 1, "a temporary file was left behind");
    fs::set_permissions(bench.root().join("dir/file"), fs::Permissions::from_mode(0o444)).unwrap();
    assert_eq!(bench.refused("fs_write", args), "`dir/file` is read-only");
    assert_eq!(bench.refused("fs_write", json!({ "path": "dir/file", "content": null })), "`dir/file` is read-only");
}

#[test]
fn readers_see_the_old_content_or_the_new() {
    let bench = Bench::with(&[("file", "a".repeat(200_000).as_bytes())]);
    let path = bench.root().join("file");
    let stop = CancelToken::default();
    let reader = std::thread::spawn({
        let stop = stop.clone();
        move || {
            while !stop.is_cancelled() {
                let content = fs::read(&path).unwrap();
                assert!(content.len() == 200_000 && content.iter().all(|byte| *byte == content[0]));
            }
        }
    });
    for letter in ["b", "c", "d", "e", "f"].repeat(4) {
        bench.ok("fs_write", json!({ "path": "file", "content": letter.repeat(200_000) }));
    }
    stop.cancel();
    reader.join().unwrap();
}

#[test]
fn permissions_outlive_a_replacement() {
    let bench = Bench::with(&[("script", b"#!/bin/sh\n"), ("private", b"key")]);
    for (path, mode) in [("script", 0o755), ("private", 0o600)] {
        let file = bench.root().join(path);
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        bench.ok("fs_write", json!({ "path": path, "content": "changed" }));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, mode);
    }
}

#[test]
fn a_hard_link_to_the_outside_is_not_written_through() {
    let bench = Bench::new();
    let canary = bench.outer.path().join("canary");
    fs::hard_link(&canary, bench.root().join("file")).unwrap();
    bench.ok("fs_write", json!({ "path": "file", "content": "mine" }));
    assert_eq!((fs::read_to_string(canary).unwrap().as_str(), bench.get("file").as_str()), ("CANARY", "mine"));
}

#[test]
fn what_an_undo_cannot_hold_is_said_before() {
    let bench = Bench::with(&[("binary", b"\xff\0"), ("fits", &[b'x'; 1 << 20]), ("large", &[b'x'; (1 << 20) + 1])]);
    let tool = bench.tool("fs_write");
    for (path, compensable) in [("binary", false), ("fits", true), ("large", false), ("absent", true)] {
        let args = json!({ "path": path, "content": "x" });
        assert_eq!(probe(tool, &args).unwrap().compensable, compensable, "{path}");
        assert_eq!(call(tool, &args).unwrap().undo.is_some(), compensable, "{path}");
    }
}

#[test]
fn an_effect_in_doubt_is_settled_by_looking() {
    let bench = Bench::with(&[("file", b"old")]);
    let tool = bench.tool("fs_write");
    let args = json!({ "path": "file", "content": "new" });
    let probed = probe(tool, &args).unwrap().version;
    let reconcile = || block_on(tool.reconcile(&args, probed, &spawn()));
    assert_eq!(reconcile(), Some(false));
    call(tool, &args).unwrap();
    assert_eq!(reconcile(), Some(true));
    bench.put("file", "other");
    assert_eq!(reconcile(), None);
}

// ---- kv ----

struct Kv(Vec<Arc<dyn ToolContract>>);

impl Kv {
    fn tool(&self, name: &str) -> &dyn ToolContract {
        self.0.iter().find(|tool| tool.contract().name.as_str() == name).unwrap().as_ref()
    }

    fn call(&self, name: &str, args: &Value, reads: &Reads) -> Result<ToolOutput, ToolError> {
        let tool = self.tool(name);
        block_on(tool.call(Call { reads: reads.clone(), ..prepare(tool, args, None) }))
    }
}

fn stored(key: &str, version: u64, value: Option<Value>) -> Reads {
    let mut reads = Reads::default();
    reads.insert(&ResourceId::new("kv", key).unwrap(), version, value.map(Arc::new));
    reads
}

#[test]
fn keys_and_values_live_in_the_world_and_every_change_can_be_undone() {
    let kv = Kv(builtin::kv());
    let key = "ключ/😀";
    let resource = ResourceId::new("kv", key).unwrap();
    let (absent, there) = (Reads::default(), stored(key, 3, Some(json!({ "a": 1 }))));
    let (get, set) = (json!({ "key": key }), json!({ "key": key, "value": null }));
    for tool in &kv.0 {
        let args = if tool.contract().name.as_str() == "kv_set" { &set } else { &get };
        assert_eq!(tool.reads(args), std::slice::from_ref(&resource));
    }
    assert_eq!(kv.call("kv_get", &get, &absent).unwrap(), ToolOutput::new(json!({ "found": false, "version": 0 })));
    let found = kv.call("kv_get", &get, &there).unwrap();
    assert_eq!(found, ToolOutput::new(json!({ "found": true, "value": { "a": 1 }, "version": 3 })));

    let created = kv.call("kv_set", &set, &absent).unwrap();
    assert_eq!(created.delta.0, [Change::Create { resource: resource.clone(), value: Value::Null }]);
    assert_eq!(created.undo, Some(("kv_delete".parse().unwrap(), get.clone())));
    let replaced = kv.call("kv_set", &set, &there).unwrap();
    assert_eq!(replaced.delta.0, [Change::Replace { resource: resource.clone(), version: 3, value: Value::Null }]);
    let restore = Some(("kv_set".parse().unwrap(), json!({ "key": key, "value": { "a": 1 } })));
    assert_eq!(replaced.undo, restore);
    let deleted = kv.call("kv_delete", &get, &there).unwrap();
    assert_eq!(deleted.delta.0, [Change::Delete { resource, version: 3 }]);
    assert_eq!(deleted.undo, restore);
}

#[test]
fn a_missing_key_is_not_deleted_and_an_erased_value_not_undone() {
    let kv = Kv(builtin::kv());
    let args = json!({ "key": "k" });
    let delete = kv.tool("kv_delete");
    assert_eq!(delete.precondition(&args, &Reads::default()).unwrap_err().code, "not_found");
    assert!(matches!(kv.call("kv_delete", &args, &Reads::default()), Err(ToolError::NotDone(_))));
    assert_eq!(delete.precondition(&args, &stored("k", 1, Some(Value::Null))), Ok(()));
    let erased = stored("k", 2, None);
    assert!(delete.compensable(&args, &stored("k", 1, Some(Value::Null))) && !delete.compensable(&args, &erased));
    assert_eq!(kv.call("kv_delete", &args, &erased).unwrap().undo, None);
    let found = kv.call("kv_get", &args, &erased).unwrap();
    assert_eq!(found.output, json!({ "found": true, "value": null, "version": 2, "erased": true }));
}

#[test]
fn keys_that_cannot_name_a_resource_and_forgotten_values_are_refused() {
    let kv = Kv(builtin::kv());
    for (key, keyword) in [("", "minLength"), ("é".repeat(513).as_str(), "maxLength")] {
        let fault = kv.tool("kv_get").check_arguments(&json!({ "key": key })).unwrap_err();
        assert_eq!((fault.keyword.as_str(), fault.pointer.as_str()), (keyword, "/key"));
    }
    assert!(kv.tool("kv_get").check_arguments(&json!({ "key": "é".repeat(512) })).is_ok());
    assert!(kv.tool("kv_set").check_arguments(&json!({ "key": "k" })).is_err());
}

// ---- nothing outside, whatever the tree and the path ----

#[derive(Debug, Clone)]
enum Node {
    File(String),
    Dir,
    Link(String),
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["..", ".", "", "canary", ".thymos", ".git", "é", "..."]).prop_map(str::to_owned),
    ]
}

fn path() -> impl Strategy<Value = String> {
    (prop::sample::select(vec!["", "", "", "/", "./", "../"]), prop::collection::vec(name(), 1..5))
        .prop_map(|(start, names)| format!("{start}{}", names.join("/")))
}

fn node() -> impl Strategy<Value = Node> {
    let upwards = prop::collection::vec(Just(".."), 0..4).prop_map(|ups| ups.join("/"));
    prop_oneof![
        "[a-z\n]{0,12}".prop_map(Node::File),
        Just(Node::Dir),
        (upwards, path()).prop_map(|(up, path)| Node::Link(if up.is_empty() { path } else { format!("{up}/{path}") })),
        prop::sample::select(vec!["..", "../canary", "../../canary", "../outside", "/"])
            .prop_map(|to| Node::Link(to.into())),
    ]
}

/// Everything outside the workspace: names and contents.
fn outside(bench: &Bench) -> Vec<(String, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut dirs = vec![bench.outer.path().to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path == bench.root() {
                continue;
            }
            let is_dir = path.symlink_metadata().unwrap().is_dir();
            found.push((path.display().to_string(), if is_dir { None } else { Some(fs::read(&path).unwrap()) }));
            if is_dir {
                dirs.push(path);
            }
        }
    }
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_tree_and_no_path_lead_outside(
        nodes in prop::collection::vec((prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4), node()), 1..12),
        paths in prop::collection::vec(path(), 1..8),
    ) {
        let bench = Bench::new();
        fs::create_dir_all(bench.outer.path().join("outside/a")).unwrap();
        fs::write(bench.outer.path().join("outside/a/b"), "CANARY").unwrap();
        for (names, node) in nodes {
            let path = bench.root().join(names.join("/"));
            // The tree is built without going through links: a step that is one drops the node.
            let mut parent = bench.root();
            let plain = names[..names.len() - 1].iter().all(|name| {
                parent.push(name);
                fs::create_dir(&parent).ok();
                parent.symlink_metadata().is_ok_and(|found| found.is_dir())
            });
            if !plain || path.symlink_metadata().is_ok() {
                continue;
            }
            match node {
                Node::File(content) => fs::write(path, content).unwrap(),
                Node::Dir => fs::create_dir(path).unwrap(),
                Node::Link(to) => drop(symlink(to, path)),
            }
        }
        let before = outside(&bench);
        for path in &paths {
            for (tool, args) in [
                ("fs_read", json!({ "path": path })),
                ("list_files", json!({ "path": path, "include_ignored": true })),
                ("grep", json!({ "path": path, "pattern": "CANARY|root:", "include_ignored": true })),
                ("fs_write", json!({ "path": path, "content": "written", "create_dirs": true })),
                ("fs_read", json!({ "path": path })),
                ("fs_write", json!({ "path": path, "content": null })),
            ] {
                let shown = format!("{:?}", bench.call(tool, args));
                prop_assert!(!shown.contains("CANARY") && !shown.contains("root:"), "{} {}: {}", tool, path, shown);
            }
        }
        prop_assert_eq!(before, outside(&bench));
    }
}
