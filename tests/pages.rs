//! What the pages name is there: tests, files, faults, and the pages themselves in the README's list.
//!
//! A page names a test as `` `starts.rs` `forged_signatures` ``: the file below `tests/` (or `src/…`), then one test or several of it. A folder of
//! `tests/` may stand for all tests in it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that goes wrong should stop the test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

const PAGES: &[&str] = &["invariants", "threat-model", "writs", "delegation", "STATUS"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(&path)).unwrap_or_else(|_| panic!("no {}", path.as_ref().display()))
}

/// The file or folder that a page means, if there is one.
fn resolve(named: &str) -> Option<PathBuf> {
    let places = [
        format!("tests/{named}"),
        format!("tests/{named}.rs"),
        named.to_owned(),
        format!("src/{named}"),
        format!("docs/{named}"),
    ];
    places.into_iter().map(|place| root().join(place)).find(|place| place.exists())
}

/// The names of the tests in a file or below a folder.
fn tests(of: &Path) -> BTreeSet<String> {
    if of.is_dir() {
        return fs::read_dir(of).unwrap().flat_map(|entry| tests(&entry.unwrap().path())).collect();
    }
    let test = Regex::new(r"#\[test\]\s*(?:#\[[^\]]*\]\s*)*fn (\w+)").unwrap();
    let source = fs::read_to_string(of).unwrap_or_default();
    test.captures_iter(&source).map(|found| found[1].to_owned()).collect()
}

/// What stands between backticks, line by line; a line that begins with blanks goes on with the one before.
fn quoted(text: &str) -> Vec<Vec<String>> {
    let code = Regex::new("```[^`]*```").unwrap();
    let text = code.replace_all(text, "");
    let text = Regex::new("not yet in `[^`]+`").unwrap().replace_all(&text, "");
    let joined = Regex::new(r"\n[ ]+").unwrap().replace_all(&text, " ");
    let token = Regex::new("`([^`\n]+)`").unwrap();
    joined.lines().map(|line| token.captures_iter(line).map(|found| found[1].to_owned()).collect()).collect()
}

#[test]
fn every_test_and_file_that_a_page_names_is_there() {
    let (path, name) =
        (Regex::new(r"^[a-z_/-]+\.(rs|py|md)$").unwrap(), Regex::new(r"^[a-z0-9]+(_[a-z0-9]+){2,}$").unwrap());
    let (mut named, mut missing) = (0, Vec::new());
    for page in PAGES {
        for line in quoted(&read(format!("docs/{page}.md"))) {
            let mut file: Option<(String, BTreeSet<String>)> = None;
            for token in line {
                let place = resolve(&token).filter(|_| !token.contains(' '));
                match (&place, &file) {
                    (Some(place), _) => file = Some((token, tests(place))),
                    (None, _) if path.is_match(&token) => missing.push(format!("{page}: no file `{token}`")),
                    (None, Some((path, tests))) if name.is_match(&token) => {
                        named += 1;
                        if !tests.contains(&token) {
                            missing.push(format!("{page}: no test `{token}` in `{path}`"));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(named > 150, "only {named} tests are named");
}

#[test]
fn every_fault_that_the_invariants_name_is_one() {
    let (of_run, of_store) = (read("src/replay/fault.rs"), read("src/replay/store/fault.rs"));
    let (name, mut named) = (Regex::new(r"`([A-Z][A-Za-z]+)(?:\([A-Za-z]+\))?`").unwrap(), 0);
    for found in name.captures_iter(&read("docs/invariants.md")) {
        let variant = Regex::new(&format!(r"(?m)^    {}( \{{|\(|,)", &found[1])).unwrap();
        assert!(variant.is_match(&of_run) || variant.is_match(&of_store), "no fault `{}`", &found[1]);
        named += 1;
    }
    assert!(named > 30, "only {named} faults are named");
}

#[test]
fn the_readme_lists_every_page() {
    let readme = read("README.md");
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(readme.contains(&format!("docs/{name}")), "README.md does not list docs/{name}");
    }
}
