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
