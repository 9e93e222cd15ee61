use std::collections::{BTreeMap, BTreeSet};

use super::{
    findings::{Findings, Kind, MAP, Search, is_not_own},
    languages::language_of,
    manifests::{Facts, manifest_of},
    plan::{self, Ask, NOTES},
    task,
    text::{bytes, code, count, first_comment, line, some, title_and_sentence},
};
use crate::{
    cognition::{
        Context, Outcome,
        tally::{Tally, trouble},
    },
    proposal::Stage,
};

/// Why the explorer stopped looking.
pub(super) enum End {
    /// It had looked at all that it looks at.
    Done,
    /// The budget had no room for these.
    Budget(Vec<Ask>),
    /// It had made its turns, and these were left.
    Turns(Vec<Ask>),
    /// A refusal at this stage means that nothing more can be called.
    Over(Stage),
}

/// The final answer.
pub(super) fn answer(findings: &Findings<'_>, context: &Context, end: &End) -> String {
    let last = format!(
        "_{}. This is the offline explorer: a deterministic program, and no language model._",
        Tally::of(&context.history)
    );
    [body(findings, context, end), section("The map", vec![saved(findings, context)]), last].concat()
}

/// What it offers to save.
pub(super) fn map(findings: &Findings<'_>, context: &Context, end: &End) -> String {
    body(findings, context, end)
        + "_Written by the offline explorer: a deterministic program, and no language model._\n"
}

fn body(findings: &Findings<'_>, context: &Context, end: &End) -> String {
    [
        heading(findings),
        section("Size and languages", size(findings)),
        section("Layout", layout(findings)),
        section("Manifests", manifests(findings)),
        section("Where the code starts", starts(findings)),
        section("Code, by patterns of lines", code_facts(findings)),
        section("Words of the task", words(findings, &context.task)),
        section("Not looked at", gaps(findings, context, end)),
    ]
    .concat()
}

fn section(title: &str, lines: Vec<String>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("## {title}\n\n{}\n", lines.into_iter().map(|line| format!("- {line}\n")).collect::<String>())
}

fn facts_of<'f>(findings: &'f Findings<'_>) -> impl Iterator<Item = (&'f str, Result<Facts, String>)> {
    plan::manifests(findings).filter_map(|path| {
        let file = findings.files.get(path)?;
        let facts = manifest_of(path)?.1.read(&file.text);
        let cut = if file.cut { " (only its beginning was read)" } else { "" };
        Some((path, facts.map_err(|why| format!("{why}{cut}"))))
    })
}

fn heading(findings: &Findings<'_>) -> String {
    let own = facts_of(findings).filter(|(path, _)| !path.contains('/'));
    let named = own.filter_map(|(path, facts)| Some((path, facts.ok()?))).find(|(_, facts)| facts.name.is_some());
    let readme = plan::readme(findings).and_then(|path| Some((path, findings.files.get(path)?)));
    let (title, sentence) = readme.map(|(_, file)| title_and_sentence(&file.text)).unwrap_or_default();
    let mut text = String::new();
    match &named {
        Some((path, facts)) => {
            let version = facts.version.as_ref().map(|version| format!(" {}", line(version, 40)));
            let name = facts.name.as_deref().unwrap_or_default();
            text.push_str(&format!("# {}{}\n\n", line(name, 80), version.unwrap_or_default()));
            if let Some(description) = &facts.description {
                text.push_str(&format!("{} (from {})\n\n", line(description, 300), code(path)));
            }
        }
        None => {
            let title = title.as_deref().map_or_else(|| "A workspace without a name".into(), |title| line(title, 80));
            text.push_str(&format!("# {title}\n\n"));
            if !findings.listed.is_empty() && plan::manifests(findings).next().is_none() {
                text.push_str("There is no manifest that I know in what I saw.\n\n");
            }
        }
    }
    match readme {
        Some((path, _)) => {
            let title = title.map(|title| format!(" is titled “{}”", line(&title, 80)));
            let sentence = sentence.map(|sentence| format!(" begins: “{sentence}”"));
            let parts: Vec<_> = title.into_iter().chain(sentence).collect();
            let parts =
                if parts.is_empty() { " has neither a title nor a sentence".into() } else { parts.join(", and") };
            text.push_str(&format!("{}{parts}\n\n", code(path)));
        }
        None if findings.listed.get("") == Some(&false) && plan::readme(findings).is_none() => {
            text.push_str("There is no README.\n\n");
        }
        None => {}
    }
    text
}

fn size(findings: &Findings<'_>) -> Vec<String> {
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

fn shown(path: &str) -> String {
    if path.is_empty() { "the root".into() } else { path.into() }
}

fn layout(findings: &Findings<'_>) -> Vec<String> {
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

fn manifests(findings: &Findings<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, facts) in facts_of(findings) {
        let facts = match facts {
            Ok(facts) => facts,
            Err(why) => {
                lines.push(format!("{} could not be made out: {}", code(path), line(&why, 160)));
                continue;
            }
        };
        let mut parts = Vec::new();
        if let Some(name) = &facts.name {
            let version = facts.version.as_ref().map(|version| format!(", version {}", line(version, 40)));
            parts.push(format!("names {}{}", code(name), version.unwrap_or_default()));
        }
        let lists = [("dependencies", &facts.dependencies), ("development dependencies", &facts.dev_dependencies)];
        let others = facts.others.iter().map(|(label, list)| (*label, list));
        for (label, list) in lists.into_iter().chain(others).filter(|(_, list)| !list.is_empty()) {
            parts.push(format!("{label} ({}): {}", list.len(), some(list, 10)));
        }
        if parts.is_empty() {
            parts.push("says nothing that I look for".into());
        }
        let cut = findings.files.get(path).is_some_and(|file| file.cut);
        let cut = if cut { " (only its beginning was read)" } else { "" };
        lines.push(format!("{}: {}{cut}", code(path), parts.join("; ")));
    }
    lines
}

fn starts(findings: &Findings<'_>) -> Vec<String> {
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

fn lines_of(text: &str, cut: bool) -> String {
    let lines = count(text.lines().count(), "line", "lines");
    if cut { format!("more than {lines}") } else { lines }
}

fn code_facts(findings: &Findings<'_>) -> Vec<String> {
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

fn words(findings: &Findings<'_>, task: &str) -> Vec<String> {
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

fn gaps(findings: &Findings<'_>, context: &Context, end: &End) -> Vec<String> {
    let mut lines = Vec::new();
    for tool in ["list_files", "fs_read", "grep"] {
        if !context.tools.iter().any(|info| info.name == tool) {
            lines.push(format!("{} is not offered to me", code(tool)));
        }
    }
    let left = |asks: &[Ask]| {
        let of =
            |ask: &Ask| ["path", "pattern"].iter().find_map(|name| ask.args.get(name)?.as_str().map(str::to_owned));
        let asks: Vec<_> =
            asks.iter().map(|ask| format!("{} {}", ask.tool, of(ask).unwrap_or_default()).trim().to_owned()).collect();
        some(&asks, 6)
    };
    match end {
        End::Done => {}
        End::Budget(asks) => lines.push(format!("the budget of calls ran low, and I stopped before {}", left(asks))),
        End::Turns(asks) => lines.push(format!("I stopped after my last turn, before {}", left(asks))),
        End::Over(stage) => {
            lines.push(format!("a refusal at {stage} means that no further call can succeed, so I stopped"))
        }
    }
    for (what, why) in findings.troubles.iter().take(8) {
        lines.push(format!("{what} {why}"));
    }
    if findings.troubles.len() > 8 {
        lines.push(format!("{} more calls that gave nothing", findings.troubles.len() - 8));
    }
    let unopened: Vec<String> = findings.unopened().into_iter().map(str::to_owned).collect();
    let (passed, closed): (Vec<_>, Vec<_>) =
        unopened.into_iter().partition(|path| is_not_own(path.rsplit('/').next().unwrap_or(path)));
    if !passed.is_empty() {
        lines.push(format!("hidden folders and those of built or fetched files, passed over: {}", some(&passed, 8)));
    }
    if !closed.is_empty() {
        lines.push(format!("folders whose files I did not see: {}", some(&closed, 8)));
    }
    if findings.left_out > 0 {
        lines.push(format!("{} in such folders, left out of all counts", count(findings.left_out, "entry", "entries")));
    }
    lines
}

fn saved(findings: &Findings<'_>, context: &Context) -> String {
    match findings.map {
        Some(Outcome::Committed { .. }) => format!("saved as {}", code(MAP)),
        Some(outcome) => {
            let why = trouble(outcome).unwrap_or_default();
            format!("not saved: the offer to write {} {}", code(MAP), line(&why, 240))
        }
        None if context.remaining.tool_calls == 0 => "not saved: the budget had no call left for the offer".into(),
        None => format!("not saved: I did not offer to write {}, since it could not have succeeded", code(MAP)),
    }
}
