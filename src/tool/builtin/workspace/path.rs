use std::path::{Component, Path};

use crate::tool::ToolError;

const MAX_PATH_BYTES: usize = 4096;
/// The deepest that a path may lie below the root.
pub(super) const MAX_DEPTH: usize = 64;

/// A path below the workspace's root: plain names, none of them reserved. Empty for the root itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WorkspacePath(Vec<String>);

impl WorkspacePath {
    /// Reads the path of a directory or a file; empty and `.` are the root.
    pub(super) fn parse(text: &str) -> Result<Self, ToolError> {
        let refuse = |why: &str| {
            let shown: String = text.chars().take(160).collect();
            Err(ToolError::NotDone(format!("path `{shown}` {why}")))
        };
        if text.len() > MAX_PATH_BYTES {
            return refuse("is too long");
        }
        if text.contains('\0') {
            return refuse("holds a zero byte");
        }
        let mut names = Vec::new();
        for component in Path::new(text).components() {
            match component {
                Component::Normal(name) => names.push(name.to_string_lossy().into_owned()),
                Component::CurDir => {}
                Component::ParentDir => return refuse("leads upwards: `..` is not allowed"),
                Component::RootDir | Component::Prefix(_) => {
                    return refuse("is absolute: give it relative to the workspace");
                }
            }
        }
        if names.len() > MAX_DEPTH {
            return refuse("is too deep");
        }
        if names.iter().any(|name| is_ledger(name)) {
            return refuse("is reserved for the ledger");
        }
        Ok(Self(names))
    }

    /// Reads the path of a file: parent and name.
    pub(super) fn parse_file(text: &str) -> Result<(Self, Self, String), ToolError> {
        let path = Self::parse(text)?;
        if text.ends_with('/') {
            return Err(ToolError::NotDone(format!("path `{text}` names a directory: a file was expected")));
        }
        match path.split() {
            Some((parent, name)) => Ok((path.clone(), parent, name.to_owned())),
            None => Err(ToolError::NotDone("the path is empty: a file was expected".into())),
        }
    }

    /// The directory that it lies in, and its name there; `None` for the root.
    pub(super) fn split(&self) -> Option<(Self, &str)> {
        let (name, parent) = self.0.split_last()?;
        Some((Self(parent.to_vec()), name))
    }

    /// The names on the way down.
    pub(super) fn names(&self) -> &[String] {
        &self.0
    }

    /// The path of `name` below this one.
    pub(super) fn join(&self, name: &str) -> Self {
        let mut names = self.0.clone();
        names.push(name.to_owned());
        Self(names)
    }

    /// Whether some step belongs to a repository's own store.
    pub(super) fn is_git(&self) -> bool {
        self.0.iter().any(|name| is_git(name))
    }
}

impl std::fmt::Display for WorkspacePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { f.write_str(".") } else { f.write_str(&self.0.join("/")) }
    }
}

/// Whether a name belongs to the ledger: `.thymos`, and `.thymos-…` for files that are still being written.
pub(super) fn is_ledger(name: &str) -> bool {
    let name = folded(name);
    name == ".thymos" || name.starts_with(".thymos-") || name.starts_with("thymos~")
}

/// Whether a name is that of a repository's own store.
pub(super) fn is_git(name: &str) -> bool {
    let name = folded(name);
    name == ".git" || name.starts_with("git~")
}

/// A name as the most forgiving file system reads it: letter case, characters that HFS+ ignores, and on Windows stream
/// names, final dots and spaces make no difference.
fn folded(name: &str) -> String {
    let ignored =
        |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let name = name.split(':').next().unwrap_or(name);
    let upper = name.chars().filter(|c| !ignored(*c)).flat_map(char::to_uppercase);
    let lower: String = upper.flat_map(char::to_lowercase).collect();
    lower.trim_end_matches(['.', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledgers_names_are_known_in_every_spelling() {
        for name in [
            ".thymos",
            ".THYMOS",
            ".Thymos. ",
            ".thymo\u{17f}",
            ".thy\u{200c}mos",
            ".thymos:x",
            ".thymos-1",
            "THYMOS~1",
        ] {
            assert!(is_ledger(name), "{name}");
            assert!(WorkspacePath::parse(&format!("a/{name}/b")).is_err(), "{name}");
        }
        for name in ["thymos", "a.thymos", ".thymos2", ".thymosx-y", ".git", ""] {
            assert!(!is_ledger(name), "{name}");
        }
        assert!(is_git(".GIT") && is_git("git~1") && !is_git(".github") && !is_git(".gitignore"));
    }

    #[test]
    fn a_path_is_relative_and_never_leads_upwards() {
        for text in ["/", "/etc", "..", "a/..", "a/../b", "./../a", "a\0b", &"a/".repeat(65), &"a".repeat(4097)] {
            assert!(WorkspacePath::parse(text).is_err(), "{text}");
        }
        for (text, shown) in [("", "."), (".", "."), ("./a//b/./c/", "a/b/c"), ("é/…", "é/…"), ("...", "...")] {
            assert_eq!(WorkspacePath::parse(text).unwrap().to_string(), shown);
        }
        assert!(WorkspacePath::parse_file("a/").is_err() && WorkspacePath::parse_file(".").is_err());
    }
}
