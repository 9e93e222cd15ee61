//! The commands that pages show.

use crate::host::Host;

/// The words of a line as a shell takes them: parted by blanks, and whole between single or double quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, character) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// The first block of a language in a page.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, block) = page.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0
}

/// Runs the commands that a page shows. Each has to succeed.
fn runs(host: &Host, page: &str) {
    let lines: Vec<Vec<String>> = block(page, "sh").lines().map(words).collect();
    assert!(lines.len() > 4);
    for line in &lines {
        let (command, arguments) = line.split_first().unwrap();
        assert_eq!(command, "thymos", "{line:?}");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        host.good(&arguments);
    }
}

#[test]
fn the_commands_of_the_page_on_writs_run() {
    let host = Host::new();
    runs(&host, include_str!("../../docs/writs.md"));
    let told = host.good(&["writ", "show", "child.json"]);
    assert!(told.contains("root → agent") && told.contains("agent → helper"), "{told}");
}

#[test]
fn the_commands_of_the_page_on_policies_run_and_its_rule_denies() {
    let page = include_str!("../../docs/policy-language.md");
    let (_, section) = page.split_once("Here `guard.json`").unwrap();
    let host = Host::new();
    std::fs::write(host.workspace().join("guard.json"), block(section, "json")).unwrap();
    runs(&host, section);
    std::fs::create_dir(host.workspace().join("secrets")).unwrap();
    let script =
        host.file("s.json", r#"[[{"tool":"fs_write","args":{"path":"secrets/a","content":"x"}}],{"answer":"done"}]"#);
    let arguments = ["run", "x", "--script", &script, "--scopes", "fs_*", "--effects", "write"];
    let out = host.good(&[&arguments[..], &["--policy", "guard.signed.json"]].concat());
    assert!(out.contains("policy_denied") && out.contains("files below secrets/ are not written"), "{out}");
}

#[test]
fn the_commands_of_the_page_on_skills_run() {
    let page = include_str!("../../docs/skills.md");
    let host = Host::new();
    let write = |name: &str, text: &str| std::fs::write(host.workspace().join(name), text).unwrap();
    write("finder.md", block(page, "text"));
    write("finder.json", block(page, "json"));
    let call = |tool: &str, args: serde_json::Value| serde_json::json!({"tool": tool, "args": args});
    let steps = serde_json::json!([
        [call("grep", serde_json::json!({"pattern": "TODO"}))],
        [call("fs_write", serde_json::json!({"path": "found.md", "content": "none"}))],
        {"answer": "done"},
    ]);
    write("find.json", &steps.to_string());
    runs(&host, page);
    let refused = page.lines().find(|line| line.starts_with("rejected ")).unwrap();
    let (_, why) = refused.split_once("#7 ").unwrap();
    assert!(host.good(&["audit", "last"]).contains(why), "{why}");
    assert!(!host.workspace().join("found.md").exists());
    let (_, section) = page.split_once("## Make it better").unwrap();
    let shown = block(section, "text");
    for line in block(section, "sh").lines().map(words) {
        let arguments: Vec<&str> = line.iter().skip(1).map(String::as_str).collect();
        let said = host.good(&arguments);
        if arguments[1] == "tune" {
            // The hash of the page is shortened.
            let rest = |text: &str| -> Vec<String> {
                text.lines().filter(|line| !line.contains("hash  ")).map(str::to_owned).collect()
            };
            assert!(rest(&said).starts_with(&rest(shown)), "{said}");
        }
    }
    assert_eq!(host.json(&["runs", "--json"])[0]["skills"][0], "finder@2");
    assert!(host.workspace().join("found.md").exists());
}

#[test]
fn the_commands_of_the_page_on_approvals_run() {
    let page = include_str!("../../docs/approvals.md");
    let host = Host::new();
    let write = |name: &str, text: &str| std::fs::write(host.workspace().join(name), text).unwrap();
    write("notes.md", "one\ntwo\nthree\n");
    write("house.json", block(page, "json"));
    let content = "one\n2\nthree\n";
    let call = serde_json::json!({"tool": "fs_write", "args": {"path": "notes.md", "content": content}});
    write("notes.json", &serde_json::json!([[call], {"answer": "done"}]).to_string());
    write("rest.json", r#"[{"answer":"done"}]"#);
    let (_, rosters) = page.split_once("Two of three").unwrap();
    let blocks = page.split("```sh\n").skip(1).map(|block| block.split_once("```").unwrap().0);
    let mut run = Vec::new();
    for line in blocks.flat_map(str::lines) {
        let words = words(line);
        if words.ends_with(&["--key".into(), "alice".into()]) {
            write("notes.md", "one\ntwo\nthree\n");
            let again: Vec<&str> = run.iter().skip(1).map(String::as_str).collect();
            assert_eq!(host.thymos(&again).code, Some(4));
        }
        // The run of the page has another id here.
        let last = if words.contains(&"361839c15cc0".into()) {
            host.json(&["runs", "--json"])
        } else {
            serde_json::Value::Null
        };
        let arguments = words.iter().skip(1).map(String::as_str);
        let named = |word| if word == "361839c15cc0" { last[0]["run"].as_str().unwrap() } else { word };
        let arguments: Vec<&str> = arguments.map(named).collect();
        match arguments[0] {
            "run" => run.clone_from(&words),
            "roster" if arguments[1] == "sign" => {
                // The keys of the three stand in the place of digits that nobody has.
                let mut roster = block(rosters, "json").to_owned();
                for name in ["alice", "bob", "carol"] {
                    if name != "alice" {
                        host.good(&["keys", "new", name]);
                    }
                    let listed = host.json(&["keys", "list", "--json"]);
                    let found = listed.as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
                    roster = roster.replacen("<64 hex digits>", found["key"].as_str().unwrap(), 1);
                }
                write("roster.json", &roster);
            }
            _ => {}
        }
        let ran = host.thymos(&arguments);
        assert_eq!(ran.code, Some(if arguments[0] == "run" { 4 } else { 0 }), "{line}: {ran:#?}");
    }
    assert_eq!(std::fs::read_to_string(host.workspace().join("notes.md")).unwrap(), "one\ntwo\nthree\n");
    assert!(host.good(&["approvals"]).contains("1 of 2 (alice)"));
}

#[test]
fn the_commands_of_the_page_on_delegation_run() {
    let page = include_str!("../../docs/delegation.md");
    let (_, section) = page.split_once("## From the command line").unwrap();
    let host = Host::new();
    std::fs::write(host.workspace().join("plan.json"), block(section, "json")).unwrap();
    for line in section.split("```sh\n").skip(1).flat_map(|block| block.split_once("```").unwrap().0.lines()) {
        let words = words(line);
        let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        host.good(&arguments);
    }
    assert!(host.good(&["lineage", "last"]).contains("count the files"));
}

#[test]
fn the_commands_of_the_page_on_simulation_run_and_tell_what_it_shows() {
    let page = include_str!("../../docs/simulation.md");
    let host = Host::new();
    let write = |name: &str, text: &str| std::fs::write(host.workspace().join(name), text).unwrap();
    write("new.json", block(page, "json"));
    write(
        "notes.json",
        r#"[[{"tool":"kv_set","args":{"key":"a","value":1}}, {"tool":"fs_read","args":{"path":"README.md"}},
            {"tool":"kv_get","args":{"key":"a"}}],{"answer":"done"}]"#,
    );
    let mut told = String::new();
    for line in block(page, "sh").lines().map(words) {
        let arguments: Vec<&str> = line.iter().skip(1).map(String::as_str).collect();
        let ran = host.thymos(&arguments);
        let code = if arguments[0] == "simulate" { 3 } else { 0 };
        assert_eq!(ran.code, Some(code), "{line:?}: {ran:#?}");
        told = ran.out;
    }
    let run = host.json(&["runs", "--json"])[0]["run"].as_str().unwrap()[..12].to_owned();
    assert_eq!(told.replace(&run, "5b1f0a8be6f2"), block(page, "text"));
}

#[test]
fn the_commands_of_the_page_on_undoing_run() {
    let page = include_str!("../../docs/undo.md");
    let host = Host::new();
    let write = |name: &str, text: &str| std::fs::write(host.workspace().join(name), text).unwrap();
    write("notes.md", "one\n");
    let call = |path: &str| serde_json::json!({"tool": "fs_write", "args": {"path": path, "content": "tidy\n"}});
    write("tidy.json", &serde_json::json!([[call("notes.md"), call("more.md")], {"answer": "done"}]).to_string());
    runs(&host, page);
    assert_eq!(std::fs::read_to_string(host.workspace().join("notes.md")).unwrap(), "one\n");
    assert!(!host.workspace().join("more.md").exists());
    let (_, authority) = page.split_once("## On whose authority").unwrap();
    for line in block(authority, "sh").lines().map(words) {
        let arguments: Vec<&str> = line.iter().skip(1).map(String::as_str).collect();
        host.good(&arguments);
    }
}

#[test]
fn the_commands_of_the_page_on_an_incident_run() {
    let page = include_str!("../../docs/incident.md");
    let host = Host::new();
    let write = |name: &str, text: &str| std::fs::write(host.workspace().join(name), text).unwrap();
    write("notes.md", "one\n");
    write("closed.json", block(page, "json"));
    write(
        "tidy.json",
        r#"[[{"tool":"fs_write","args":{"path":"notes.md","content":"tidy\n"}},
             {"tool":"kv_set","args":{"key":"list","value":"notes.md"}},
             {"tool":"kv_get","args":{"key":"list"}}],{"answer":"done"}]"#,
    );
    let mut refused = String::new();
    for line in page.split("```sh\n").skip(1).flat_map(|block| block.split_once("```").unwrap().0.lines()) {
        let words = words(line);
        let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let ran = host.thymos(&arguments);
        let code = if arguments[0] == "simulate" { 3 } else { 0 };
        assert_eq!(ran.code, Some(code), "{line}: {ran:#?}");
        if arguments[0] == "simulate" {
            let run = host.json(&["runs", "--json"])[0]["run"].as_str().unwrap()[..12].to_owned();
            let radius = block(page.split_once("simulate --policy").unwrap().1, "text");
            assert!(ran.out.replace(&run, "5b1f0a8be6f2").contains(radius), "{}", ran.out);
        }
        if line.contains("--dry-run") {
            assert_eq!(std::fs::read_to_string(host.workspace().join("notes.md")).unwrap(), "tidy\n");
        } else if arguments[0] == "rollback" {
            assert_eq!(std::fs::read_to_string(host.workspace().join("notes.md")).unwrap(), "one\n");
        }
        refused = if arguments[0] == "run" { ran.out } else { refused };
    }
    assert!(refused.contains("the list is kept by hand"), "{refused}");
}
