use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    LIST_DEPTH,
    languages::{Language, language_of},
    text,
};
use crate::{
    cognition::{Outcome, PastOutcome, tally::trouble},
    proposal::Stage,
};

/// Where the explorer offers to save its map.
pub(super) const MAP: &str = "thymos-map.md";

/// Folders that hold what was built or fetched rather than what was written, and are not looked into.
const NOT_OWN: &[&str] = &[
    "target",
    "node_modules",
    "dist",
    "build",
    "vendor",
    "out",
    "obj",
    "venv",
    "__pycache__",
    "coverage",
    "bower_components",
];

/// Everything that the outcomes of a run tell about a workspace.
#[derive(Debug, Default)]
pub(super) struct Findings<'a> {
    pub entries: BTreeMap<String, Entry>,
    /// The folders that were listed, the root as an empty path, and whether the listing was cut.
    pub listed: BTreeMap<String, bool>,
    pub files: BTreeMap<String, FileText>,
    pub searches: Vec<Search>,
    /// What could not be done: what it was, and why.
    pub troubles: Vec<(String, String)>,
    /// What became of the offer to save the map.
    pub map: Option<&'a Outcome>,
    /// How many listed entries lie in folders that are not looked into.
    pub left_out: usize,
    history: &'a [PastOutcome],
}

/// What a listing told of one path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub kind: Kind,
    pub size: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// A link, a socket, or what else a listing may name.
    Other,
}

/// A file as far as it was read.
#[derive(Debug)]
pub(super) struct FileText {
    pub text: String,
    pub cut: bool,
}

/// What a search found.
#[derive(Debug)]
pub(super) struct Search {
    pub pattern: String,
    pub glob: Option<String>,
    pub hits: Vec<Hit>,
    pub cut: bool,
}

/// A line that a search found.
#[derive(Debug)]
pub(super) struct Hit {
    pub path: String,
    pub line: Option<u64>,
    pub text: String,
}

impl<'a> Findings<'a> {
    /// Reads the outcomes, whatever shape they have: what is missing is simply not found.
    pub(super) fn gather(history: &'a [PastOutcome]) -> Self {
        let mut findings = Self { history, ..Self::default() };
        for past in history {
            let path = normal(text_of(&past.args, &["path"]).unwrap_or_default());
            match (past.tool.as_str(), &past.outcome) {
                ("fs_write", outcome) if path == MAP => findings.map = Some(outcome),
                ("list_files", Outcome::Committed { output }) => findings.listing(path, output),
                ("fs_read", Outcome::Committed { output }) => findings.file(path, output),
                ("grep", Outcome::Committed { output }) => findings.search(&past.args, output),
                (_, outcome) => findings.trouble(past, outcome),
            }
        }
        findings
    }

    /// Whether the same call was made before. One that was not attempted may be made once more.
    pub(super) fn asked(&self, tool: &str, args: &Value) -> bool {
        let same = self.history.iter().filter(|past| past.tool == tool && past.args == *args);
        let (skipped, made): (Vec<_>, Vec<_>) = same.partition(|past| past.outcome == Outcome::NotAttempted);
        !made.is_empty() || skipped.len() > 1
    }

    /// Whether further calls of a tool are pointless: no argument can change the outcome, or nothing ever worked.
    pub(super) fn barred(&self, tool: &str) -> bool {
        let outcomes = || self.history.iter().filter(|past| past.tool == tool).map(|past| &past.outcome);
        let by_contract = |outcome: &Outcome| {
            matches!(outcome, Outcome::Refused(refusal)
                if matches!(refusal.stage, Stage::IntentKind | Stage::Scope | Stage::Registry | Stage::Effect))
        };
        let worked = outcomes().any(|outcome| matches!(outcome, Outcome::Committed { .. }));
        outcomes().any(by_contract) || (!worked && outcomes().count() >= 4)
    }

    /// Why no call at all can succeed any more, where the last refusal says so.
    pub(super) fn over(&self) -> Option<Stage> {
        match &self.history.last()?.outcome {
            Outcome::Refused(refusal) => Some(refusal.stage).filter(|stage| {
                matches!(stage, Stage::Chain | Stage::Audience | Stage::Revocation | Stage::Window | Stage::Budget)
            }),
            _ => None,
        }
    }

    /// How many steps made calls.
    pub(super) fn steps(&self) -> u64 {
        self.history.iter().map(|past| past.step).collect::<BTreeSet<_>>().len() as u64
    }

    pub(super) fn has_file(&self, path: &str) -> bool {
        self.entries.get(path).is_some_and(|entry| entry.kind == Kind::File)
    }

    pub(super) fn file_paths(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().filter(|(_, entry)| entry.kind == Kind::File).map(|(path, entry)| (path.as_str(), entry))
    }

    /// Folders right below the root that are worth listing.
    pub(super) fn folders(&self) -> impl Iterator<Item = &str> {
        let top = self.entries.iter().filter(|(path, entry)| entry.kind == Kind::Folder && !path.contains('/'));
        top.map(|(path, _)| path.as_str()).filter(|path| !is_not_own(path))
    }

    /// The languages of the files seen, with the number of files and their bytes; most files first.
    pub(super) fn languages(&self) -> Vec<(&'static Language, usize, u64)> {
        let mut counts: BTreeMap<&str, (&Language, usize, u64)> = BTreeMap::new();
        for (path, entry) in self.file_paths() {
            if let Some(language) = language_of(path) {
                let count = counts.entry(language.name).or_insert((language, 0, 0));
                count.1 += 1;
                count.2 = count.2.saturating_add(entry.size.unwrap_or(0));
            }
        }
        let mut counts: Vec<_> = counts.into_values().collect();
        counts.sort_by_key(|(language, files, _)| (std::cmp::Reverse(*files), language.name));
        counts
    }

    /// The programming language that most of the files are in.
    pub(super) fn main_language(&self) -> Option<&'static Language> {
        self.languages().into_iter().map(|(language, ..)| language).find(|language| language.is_code())
    }

    /// Folders whose contents no listing showed.
    pub(super) fn unopened(&self) -> Vec<&str> {
        let shown = |path: &str| {
            let below = format!("{path}/");
            self.listed.contains_key(path)
                || self.entries.range(below.clone()..).next().is_some_and(|(next, _)| next.starts_with(&below))
        };
        let listed_through = |path: &str| {
            let (top, rest) = path.split_once('/').unwrap_or((path, ""));
            self.listed.contains_key(top) && rest.split('/').count() < LIST_DEPTH
        };
        let folders =
            self.entries.iter().filter(|(_, entry)| entry.kind == Kind::Folder).map(|(path, _)| path.as_str());
        folders.filter(|path| !shown(path) && !listed_through(path)).collect()
    }

    fn listing(&mut self, base: String, output: &Value) {
        let items = match output {
            Value::Array(items) => items,
            _ => match ["entries", "files", "paths"].iter().find_map(|name| output.get(name)?.as_array()) {
                Some(items) => items,
                None => return,
            },
        };
        let named: Vec<(String, &Value)> = items.iter().filter_map(|item| Some((path_of(item)?, item))).collect();
        let below = format!("{base}/");
        let from_root = base.is_empty() || named.iter().any(|(path, _)| path.starts_with(&below));
        for (path, item) in named {
            let kind = match text_of(item, &["kind", "type"]) {
                Some("dir" | "directory" | "folder") => Kind::Folder,
                None if path.ends_with('/') => Kind::Folder,
                None | Some("file") => Kind::File,
                Some(_) => Kind::Other,
            };
            let path = normal(&if from_root { path } else { format!("{below}{path}") });
            if path.is_empty() {
                continue;
            }
            if below_not_own(&path) {
                self.left_out += 1;
                continue;
            }
            let size = ["bytes", "size"].iter().find_map(|name| item.get(name)?.as_u64());
            self.entries.insert(path, Entry { kind, size });
        }
        self.listed.insert(base, is_cut(output));
    }

    fn file(&mut self, path: String, output: &Value) {
        let content = output.as_str().or_else(|| text_of(output, &["content", "text"]));
        match content {
            Some(content) => {
                self.files.insert(path, FileText { text: content.to_owned(), cut: is_cut(output) });
            }
            None => self.troubles.push((format!("reading {}", text::code(&path)), "gave no text".into())),
        }
    }

    fn search(&mut self, args: &Value, output: &Value) {
        let items =
            output.as_array().or_else(|| ["matches", "hits"].iter().find_map(|name| output.get(name)?.as_array()));
        let hit = |item: &Value| {
            let path = normal(text_of(item, &["path", "file"])?);
            let text = text_of(item, &["text", "content"]).unwrap_or_default().to_owned();
            Some(Hit { path, line: item.get("line").and_then(Value::as_u64), text })
        };
        self.searches.push(Search {
            pattern: text_of(args, &["pattern"]).unwrap_or_default().to_owned(),
            glob: text_of(args, &["glob"]).map(str::to_owned),
            hits: items
                .into_iter()
                .flatten()
                .filter_map(hit)
                .filter(|hit| hit.path != MAP && !below_not_own(&hit.path))
                .collect(),
            cut: is_cut(output),
        });
    }

    fn trouble(&mut self, past: &PastOutcome, outcome: &Outcome) {
        let subject = text_of(&past.args, &["path", "pattern"]).map(|subject| format!(" of {}", text::code(subject)));
        let what = format!("{}{}", text::code(&past.tool), subject.unwrap_or_default());
        if let Some(why) = trouble(outcome) {
            self.troubles.push((what, text::line(&why, 200)));
        }
    }
}

/// Whether a folder's name tells that it holds nothing written for the project.
pub(super) fn is_not_own(name: &str) -> bool {
    (name.len() > 1 && name.starts_with('.')) || NOT_OWN.contains(&name)
}

fn below_not_own(path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(parents, _)| parents.split('/').any(is_not_own))
}

/// A tool says so by `true`, or by naming the limit that cut its output.
fn is_cut(output: &Value) -> bool {
    matches!(output.get("truncated"), Some(Value::Bool(true) | Value::String(_)))
}

fn path_of(item: &Value) -> Option<String> {
    item.as_str().or_else(|| text_of(item, &["path", "name"])).map(|path| path.replace('\\', "/"))
}

fn text_of<'v>(value: &'v Value, names: &[&str]) -> Option<&'v str> {
    names.iter().find_map(|name| value.get(name)?.as_str())
}

/// `./src/` is `src`, and `.` is the empty path of the root.
fn normal(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}
