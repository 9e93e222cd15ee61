use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use cap_std::fs::Dir;
use serde::Serialize;

use super::{
    error::{not_done, refuse},
    file::{find_child, kind, open_dir},
    ignored::Ignored,
    path::{MAX_DEPTH, WorkspacePath, is_git, is_ledger},
};
use crate::tool::{CancelToken, ToolError};

/// The most entries that one walk looks at.
const MAX_ENTRIES: usize = 50_000;

/// How to walk.
pub(super) struct Options<'a> {
    /// How many levels below the start; 1 is the start's own entries.
    pub depth: usize,
    /// Whether to go where `.gitignore` files say not to.
    pub ignored: bool,
    /// Stops the walk.
    pub cancel: &'a CancelToken,
}

/// What a walk found, level by level, each level in the order of the names' bytes.
#[derive(Default)]
pub(super) struct Walk {
    /// What it found.
    pub entries: Vec<Entry>,
    /// What it passed over.
    pub skipped: Skipped,
    /// Whether it ended before everything within its depth was seen.
    pub cut: bool,
}

/// What a walk passed over, as the tools report it.
#[derive(Default, Serialize)]
pub(super) struct Skipped {
    /// Left out by a `.gitignore`, directories counted once.
    pub ignored: usize,
    /// Names that are not UTF-8.
    pub not_utf8_names: usize,
    /// Directories and entries that could not be read.
    pub unreadable: usize,
}

/// One thing that a walk found.
pub(super) struct Entry {
    /// Where it is.
    pub path: WorkspacePath,
    /// What it is: `file`, `dir`, `link` or `other`.
    pub kind: &'static str,
    /// How long it is.
    pub bytes: u64,
}

/// A directory whose turn has not come. It is opened again from the root then: a wide tree must not hold a handle each.
struct Pending {
    path: WorkspacePath,
    level: usize,
    rules: Option<Arc<Ignored>>,
}

/// Walks the directory `start`, into no link, no `.git`, and nothing of the ledger's.
pub(super) fn walk(root: &Dir, start: &WorkspacePath, options: &Options<'_>) -> Result<Walk, ToolError> {
    let mut walk = Walk::default();
    let mut pending = VecDeque::from([Pending { path: start.clone(), level: 1, rules: outer_rules(root, start)? }]);
    while let Some(next) = pending.pop_front() {
        if options.cancel.is_cancelled() {
            return Err(ToolError::NotDone("cancelled".into()));
        }
        if next.level > options.depth {
            break;
        }
        if walk.entries.len() >= MAX_ENTRIES || next.path.names().len() >= MAX_DEPTH {
            walk.cut = true;
            break;
        }
        let first = walk.entries.len();
        match open_dir(root, &next.path).and_then(|dir| walk.read(&dir, &next, options)) {
            Ok(rules) => {
                let found = walk.entries.iter().skip(first).filter(|entry| entry.kind == "dir");
                let level = next.level + 1;
                pending.extend(found.map(|entry| Pending { path: entry.path.clone(), level, rules: rules.clone() }));
            }
            Err(error) if next.level == 1 => return Err(error),
            Err(_) => walk.skipped.unreadable += 1,
        }
    }
    Ok(walk)
}

/// The rules of the directories above `start`.
fn outer_rules(root: &Dir, start: &WorkspacePath) -> Result<Option<Arc<Ignored>>, ToolError> {
    let mut rules = None;
    let mut at = WorkspacePath::default();
    let mut dir = root.try_clone().map_err(not_done(&at))?;
    for name in start.names() {
        rules = Ignored::below(rules, &dir, &at);
        at = at.join(name);
        match find_child(&dir, &at, name)? {
            Some(child) => dir = child,
            None => return refuse(start, "does not exist"),
        }
    }
    Ok(rules)
}

impl Walk {
    /// Adds the entries of a directory, in order, and returns the rules that hold within it.
    fn read(&mut self, dir: &Dir, at: &Pending, options: &Options<'_>) -> Result<Option<Arc<Ignored>>, ToolError> {
        let rules = Ignored::below(at.rules.clone(), dir, &at.path);
        let room = MAX_ENTRIES - self.entries.len();
        // The least names by their bytes, so that a cut falls at the same place whatever order the disk has.
        let mut names = BTreeSet::new();
        for entry in dir.entries().map_err(not_done(&at.path))? {
            let name = entry.map_err(not_done(&at.path))?.file_name();
            match name.into_string() {
                Ok(name) if is_ledger(&name) || is_git(&name) => {}
                Ok(name) => drop(names.insert(name)),
                Err(_) => self.skipped.not_utf8_names += 1,
            }
            if names.len() > room {
                names.pop_last();
                self.cut = true;
            }
        }
        for name in names {
            let path = at.path.join(&name);
            let Ok(found) = dir.symlink_metadata(&name) else {
                self.skipped.unreadable += 1;
                continue;
            };
            if !options.ignored && rules.as_ref().is_some_and(|rules| rules.holds(&path, found.is_dir())) {
                self.skipped.ignored += 1;
                continue;
            }
            self.entries.push(Entry { path, kind: kind(found.file_type()), bytes: found.len() });
        }
        Ok(rules)
    }
}
