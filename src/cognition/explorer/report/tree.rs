use std::collections::BTreeMap;

use crate::cognition::explorer::{
    findings::{Findings, Kind},
    languages::language_of,
    plan,
    text::{bytes, code, count, first_comment, some},
};

/// How much there is, and in which languages.
pub(super) fn size(findings: &Findings<'_>) -> Vec<String> {
    if findings.listed.is_empty() {
        return Vec::new();
    }
    let files = findings.file_paths().count();
    if findings.entries.is_empty() {
        return vec!["The workspace is empty.".into()];
    }
    let total = findings.file_paths().filter_map(|(_, entry)| entry.size).fold(0, u64::saturating_add);
    let unknown = findings.file_paths().filter(|(_, entry)| entry.size.is_none()).count();
    let mut lines = vec![format!("{} of {} in what was listed", count(files, "file", "files"), bytes(total))];
    if unknown > 0 {
        lines.push(format!("the size of {} was not told", count(unknown, "file", "files")));
    }
    let cut: Vec<String> = findings.listed.iter().filter(|(_, cut)| **cut).map(|(path, _)| shown(path)).collect();
    if !cut.is_empty() {
        lines.push(format!("the listing of {} was cut, so there is more than this", some(&cut, 6)));
    }
    let languages: Vec<String> = findings
        .languages()
        .iter()
        .take(8)
        .map(|(language, files, size)| {
            format!("{} ({}, {})", language.name, count(*files, "file", "files"), bytes(*size))
        })
        .collect();
    if !languages.is_empty() {
        lines.push(format!("by file extension: {}", languages.join(", ")));
    }
    let other = findings.file_paths().filter(|(path, _)| language_of(path).is_none()).count();
    if other > 0 {
        lines.push(format!("{} of no kind that I know", count(other, "file", "files")));
    }
    lines
}

/// The folders at the top, and the files beside them.
pub(super) fn layout(findings: &Findings<'_>) -> Vec<String> {
    let mut inside: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    let mut root = Vec::new();
    for (path, entry) in findings.file_paths() {
        match path.split_once('/') {
            Some((top, _)) => {
                let count = inside.entry(top).or_default();
                *count = (count.0 + 1, count.1.saturating_add(entry.size.unwrap_or(0)));
            }
            None => root.push(path.to_owned()),
        }
    }
    let folders = findings.entries.iter().filter(|(path, entry)| entry.kind == Kind::Folder && !path.contains('/'));
    let folders: Vec<_> = folders.map(|(path, _)| path.as_str()).collect();
    let line_for = |path: &&str| {
        let name = code(&format!("{path}/"));
        match inside.get(*path) {
            Some((files, size)) => format!("{name}: {}, {}", count(*files, "file", "files"), bytes(*size)),
            None if findings.listed.contains_key(*path) => format!("{name}: no files"),
            None => format!("{name}: not looked into"),
        }
    };
    let mut lines: Vec<String> = folders.iter().take(20).map(line_for).collect();
    if folders.len() > 20 {
        lines.push(format!("and {}", count(folders.len() - 20, "more folder", "more folders")));
    }
    if !root.is_empty() {
        lines.push(format!("in the root: {}", some(&root, 16)));
    }
    lines
}

/// The files in which the code starts.
pub(super) fn starts(findings: &Findings<'_>) -> Vec<String> {
    let line_for = |path: &String| match findings.files.get(path) {
        Some(file) => match first_comment(&file.text) {
            Some(comment) => format!("{}: “{comment}”", code(path)),
            None => format!("{}: {}", code(path), lines_of(&file.text, file.cut)),
        },
        None if findings.has_file(path) => format!("{}, not read", code(path)),
        None => format!("{}, named by a manifest and not seen in the listings", code(path)),
    };
    plan::starts(findings).iter().take(8).map(line_for).collect()
}

fn shown(path: &str) -> String {
    if path.is_empty() { "the root".into() } else { path.into() }
}

fn lines_of(text: &str, cut: bool) -> String {
    let lines = count(text.lines().count(), "line", "lines");
    if cut { format!("more than {lines}") } else { lines }
}
