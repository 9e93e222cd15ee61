//! What `.gitignore` files leave out, read from opened directories.

use std::{path::Path, sync::Arc};

use cap_std::fs::Dir;
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use super::{file::read_file, path::WorkspacePath, text::as_text};

const NAME: &str = ".gitignore";
/// Larger files are not obeyed.
const MAX_BYTES: usize = 256 << 10;

/// The rules of one directory's `.gitignore`, on top of those of the directories above.
pub(super) struct Ignored {
    rules: Gitignore,
    depth: usize,
    outer: Option<Arc<Ignored>>,
}

impl Ignored {
    /// Adds the rules of the directory `at` to `outer`.
    pub(super) fn below(outer: Option<Arc<Self>>, dir: &Dir, at: &WorkspacePath) -> Option<Arc<Self>> {
        match Self::rules(dir, at) {
            Some(rules) => Some(Arc::new(Self { rules, depth: at.names().len(), outer })),
            None => outer,
        }
    }

    /// Whether the innermost rule that speaks of the path leaves it out.
    pub(super) fn holds(&self, path: &WorkspacePath, is_dir: bool) -> bool {
        let below = path.names().get(self.depth..).unwrap_or_default().join("/");
        match self.rules.matched(Path::new(&below), is_dir) {
            Match::Ignore(_) => true,
            Match::Whitelist(_) => false,
            Match::None => self.outer.as_ref().is_some_and(|outer| outer.holds(path, is_dir)),
        }
    }

    fn rules(dir: &Dir, at: &WorkspacePath) -> Option<Gitignore> {
        let (content, _) = read_file(dir, &at.join(NAME), NAME).ok()??;
        let text = as_text(&content).filter(|text| text.len() <= MAX_BYTES)?;
        let mut builder = GitignoreBuilder::new(".");
        for line in text.lines() {
            // A line that is no pattern leaves out nothing, as in git.
            builder.add_line(None, line).ok();
        }
        builder.build().ok().filter(|rules| !rules.is_empty())
    }
}
