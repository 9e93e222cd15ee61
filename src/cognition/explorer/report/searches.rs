use std::collections::BTreeSet;

use crate::cognition::explorer::{
    findings::{Findings, MAP, Search},
    languages::language_of,
    plan::NOTES,
    task,
    text::{code, count, first_comment, some},
};

/// What searches for the main language's patterns found.
pub(super) fn patterns(findings: &Findings<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let tests = findings.file_paths().map(|(path, _)| path).filter(|path| is_test_file(path)).count();
    if tests > 0 {
        lines.push(format!("{} by name or folder", count(tests, "test file", "test files")));
    }
    if let Some(language) = findings.main_language() {
        let glob = language.glob();
        for probe in language.probes {
            let search = findings
                .searches
                .iter()
                .find(|search| search.pattern == probe.pattern && search.glob.as_ref() == Some(&glob));
            lines.extend(search.map(|search| format!("{}: {}", probe.what, hits(search, 2))));
        }
    }
    let notes = findings.searches.iter().find(|search| search.pattern == NOTES);
    lines.extend(notes.map(|search| format!("notes of work left (TODO, FIXME, XXX, HACK): {}", hits(search, 4))));
    lines
}

/// Where the words of the task occur.
pub(super) fn words(findings: &Findings<'_>, task: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for word in task::words(task) {
        let pattern = task::pattern(&word);
        let search = findings.searches.iter().find(|search| search.pattern == pattern);
        let lower = word.to_lowercase();
        let named = findings.entries.keys().filter(|path| path.to_lowercase().contains(&lower) && *path != MAP);
        let named: Vec<String> = named.cloned().collect();
        let mut parts = vec![search.map_or_else(|| "not searched for".into(), |search| hits(search, 5))];
        if !named.is_empty() {
            parts.push(format!("in the path of {}", some(&named, 5)));
        }
        for file in
            search.iter().flat_map(|search| &search.hits).map(|hit| &hit.path).chain(&named).collect::<BTreeSet<_>>()
        {
            let comment = findings.files.get(file).and_then(|file| first_comment(&file.text));
            parts.extend(comment.map(|comment| format!("{} says of itself “{comment}”", code(file))));
        }
        lines.push(format!("{}: {}", code(&word), parts.join("; ")));
    }
    if !lines.is_empty() {
        lines.push("I can look words up, and cannot reason about what they mean".into());
    }
    lines
}

fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let marked =
        name.contains(".test.") || name.contains(".spec.") || stem.starts_with("test_") || stem.ends_with("_test");
    let in_tests = path.split('/').rev().skip(1).any(|folder| ["tests", "test", "__tests__", "spec"].contains(&folder));
    language_of(path).is_some_and(|language| language.is_code()) && (marked || in_tests)
}

/// How many lines a search found, in how many files, and the first of them.
fn hits(search: &Search, show: usize) -> String {
    if search.hits.is_empty() {
        let cut = if search.cut { " before the search was cut" } else { "" };
        return format!("none found{cut}");
    }
    let files = search.hits.iter().map(|hit| &hit.path).collect::<BTreeSet<_>>().len();
    let at_least = if search.cut { "at least " } else { "" };
    let found = count(search.hits.len(), "line", "lines");
    let mut text = format!("{at_least}{found} in {}", count(files, "file", "files"));
    for (index, hit) in search.hits.iter().take(show).enumerate() {
        let place = hit.line.map_or_else(|| hit.path.clone(), |number| format!("{}:{number}", hit.path));
        text.push_str(&format!("{} {} {}", if index == 0 { ";" } else { "," }, code(&place), code(&hit.text)));
    }
    text
}
