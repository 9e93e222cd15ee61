use serde_json::{Value, json};

use super::{
    LIST_DEPTH,
    findings::{Findings, MAP},
    languages::{Language, language_of},
    manifests::{self, manifest_of},
    task, text,
};

const READMES: &[&str] = &["readme.md", "readme.rst", "readme.txt", "readme", "readme.adoc", "readme.markdown"];
const MAX_MANIFESTS: usize = 4;
const MAX_FOLDERS: usize = 6;
const MAX_STARTS: usize = 3;
const MAX_FOLLOWED: usize = 2;
/// The most bytes that are read of a file.
const MAX_READ: usize = 32 << 10;

/// Matches a note that work is left to do.
pub(super) const NOTES: &str = r"\b(TODO|FIXME|XXX|HACK)\b";

/// A call that is worth making, and why.
pub(super) struct Ask {
    pub tool: &'static str,
    pub args: Value,
    pub why: String,
}

fn ask(tool: &'static str, args: Value, why: impl Into<String>) -> Ask {
    Ask { tool, args, why: why.into() }
}

/// One group of independent calls, from what was found so far.
pub(super) struct Phase {
    /// What it is for, to say beside its calls.
    pub says: &'static str,
    pub asks: fn(&Findings<'_>, &str) -> Vec<Ask>,
}

/// The groups in order. Each rests on what the ones before it found.
pub(super) static PHASES: &[Phase] = &[
    Phase { says: "I look at what is in the workspace.", asks: root },
    Phase { says: "I read what the project says of itself, and look into its folders.", asks: project },
    Phase { says: "I read where the code starts, and search it.", asks: code },
    Phase { says: "I follow the words of the task into the files that they occur in.", asks: follow },
];

fn root(_: &Findings<'_>, _: &str) -> Vec<Ask> {
    vec![ask("list_files", json!({"depth": 1, "limit": 400}), "to see what the workspace holds")]
}

fn project(findings: &Findings<'_>, _: &str) -> Vec<Ask> {
    let mut asks = Vec::new();
    if findings.listed.is_empty() {
        let blind = ["README.md"].into_iter().chain(manifests::common());
        asks.extend(blind.map(|name| read(name, "a usual name, tried since the folder could not be listed")));
        return asks;
    }
    asks.extend(readme(findings).map(|path| read(path, "the README says what the project is")));
    asks.extend(
        manifests(findings).filter(|path| !path.contains('/')).map(|path| read(path, "a manifest names the project")),
    );
    let mut folders: Vec<_> = findings.folders().collect();
    let sources = ["src", "lib", "app", "cmd", "pkg", "internal", "crates", "packages", "source"];
    folders.sort_by_key(|name| (!sources.contains(name), *name));
    asks.extend(folders.into_iter().take(MAX_FOLDERS).map(|path| {
        ask("list_files", json!({"path": path, "depth": LIST_DEPTH, "limit": 400}), "to see what the folder holds")
    }));
    asks
}

fn code(findings: &Findings<'_>, task: &str) -> Vec<Ask> {
    let mut asks: Vec<_> = manifests(findings)
        .filter(|path| path.contains('/'))
        .map(|path| read(path, "a manifest in a folder"))
        .collect();
    let known = starts(findings).into_iter().filter(|path| findings.has_file(path));
    asks.extend(known.take(MAX_STARTS).map(|path| read(&path, "the code starts here")));
    if let Some(language) = findings.main_language() {
        asks.extend(language.probes.iter().map(|probe| {
            let why = format!("to count {} in {}", probe.what, language.name);
            ask("grep", json!({"pattern": probe.pattern, "glob": language.glob(), "limit": 200}), why)
        }));
    }
    if findings.listed.is_empty() || findings.file_paths().next().is_some() {
        asks.push(ask("grep", json!({"pattern": NOTES, "limit": 100}), "to find what is left to do"));
        asks.extend(task::words(task).iter().map(|word| {
            let why = format!("the task names {}", text::code(word));
            ask("grep", word_args(word), why)
        }));
    }
    asks
}

fn follow(findings: &Findings<'_>, task: &str) -> Vec<Ask> {
    let words = task::words(task);
    let named = findings
        .file_paths()
        .map(|(path, _)| path)
        .filter(|path| words.iter().any(|word| path == word || path.rsplit('/').next() == Some(word)));
    let mut paths: Vec<&str> = named.collect();
    for word in &words {
        paths.extend(most_hits(findings, &task::pattern(word)));
    }
    let start = starts(findings).into_iter().filter(|path| findings.has_file(path)).take(MAX_STARTS);
    let mut chosen: Vec<String> =
        readme(findings).into_iter().chain(manifests(findings)).map(str::to_owned).chain(start).collect();
    let before = chosen.len();
    for path in paths {
        if !chosen.iter().any(|other| other == path) {
            chosen.push(path.to_owned());
        }
    }
    let followed = chosen.into_iter().skip(before).take(MAX_FOLLOWED);
    followed.map(|path| read(&path, "a word of the task leads here")).collect()
}

/// The offer to save the map. It is made even where nothing allows it: then its refusal is on record.
pub(super) fn offer(findings: &Findings<'_>, map: String) -> Ask {
    let replaces = if findings.has_file(MAP) { ", replacing the one that is there" } else { "" };
    let why = format!(
        "I offer to save what I found as `{MAP}`{replaces}. This is my only write; a writ that is read-only or does not \
         cover `fs_write` will refuse it, and I will say so"
    );
    ask("fs_write", json!({"path": MAP, "content": map}), why)
}

pub(super) fn word_args(word: &str) -> Value {
    json!({"pattern": task::pattern(word), "limit": 50})
}

pub(super) fn readme<'f>(findings: &'f Findings<'_>) -> Option<&'f str> {
    let paths = || findings.file_paths().map(|(path, _)| path).chain(findings.files.keys().map(String::as_str));
    READMES.iter().find_map(|wanted| paths().find(|path| path.to_lowercase() == *wanted))
}

/// The manifests seen, those nearest to the root first.
pub(super) fn manifests<'f>(findings: &'f Findings<'_>) -> impl Iterator<Item = &'f str> {
    let listed = findings.file_paths().map(|(path, _)| path);
    let read = findings.files.keys().map(String::as_str).filter(|path| !findings.entries.contains_key(*path));
    let mut found: Vec<_> =
        listed.chain(read).filter_map(|path| Some((path.matches('/').count(), manifest_of(path)?.0, path))).collect();
    found.sort_unstable();
    found.into_iter().map(|(.., path)| path).take(MAX_MANIFESTS)
}

/// Where the code starts: what manifests name, whether seen or not, and then files with usual names.
pub(super) fn starts(findings: &Findings<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for path in manifests(findings) {
        let text = findings.files.get(path).map_or("", |file| file.text.as_str());
        if let Some(Ok(facts)) = manifest_of(path).map(|(_, manifest)| manifest.read(text)) {
            let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
            found.extend(facts.starts.into_iter().map(|start| format!("{folder}{start}")));
        }
    }
    let languages = findings.languages();
    for (language, ..) in languages.iter().filter(|(language, ..)| language.is_code()) {
        found.extend(usual_starts(findings, language));
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|path| seen.insert(path.clone()));
    found
}

fn usual_starts(findings: &Findings<'_>, language: &Language) -> Vec<String> {
    let mut found = Vec::new();
    for start in language.starts {
        match start.strip_prefix('*') {
            Some(ending) => {
                let files = findings.file_paths().map(|(path, _)| path).filter(|path| path.ends_with(ending));
                found.extend(files.filter(|path| path.matches('/').count() <= 3).map(str::to_owned));
            }
            None if findings.has_file(start) => found.push((*start).to_owned()),
            None => {}
        }
    }
    found
}

/// The text file in which a search found most.
fn most_hits<'f>(findings: &'f Findings<'_>, pattern: &str) -> Option<&'f str> {
    let search = findings.searches.iter().find(|search| search.pattern == pattern)?;
    let count = |path: &str| search.hits.iter().filter(|hit| hit.path == path).count();
    let paths = search.hits.iter().map(|hit| hit.path.as_str()).filter(|path| language_of(path).is_some());
    paths.max_by_key(|path| (count(path), std::cmp::Reverse(*path)))
}

fn read(path: &str, why: &str) -> Ask {
    ask("fs_read", json!({"path": path, "limit": MAX_READ}), why)
}
