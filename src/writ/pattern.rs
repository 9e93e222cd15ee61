use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::contract::ToolName;

/// The pattern of all tools.
const ALL: &str = "*";
/// The most bytes that a pattern may have.
const MAX_PATTERN: usize = 128;

/// A text that is not a tool pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tool pattern `{pattern}`: {reason}")]
pub struct PatternError {
    /// The text, cut after 160 characters.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Which tools a scope covers: characters of tool names, `*` for any run of them, `?` for any one.
///
/// `*` crosses `/` and `:`, matching is case-sensitive, and nothing can be escaped. `**` is refused, since globs give it
/// another meaning elsewhere.
#[derive(Debug, Clone)]
pub struct ToolPattern {
    text: String,
    /// None for `*` alone and for one tool's name, which need none.
    matcher: Option<GlobMatcher>,
}

impl ToolPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is empty, longer than 128 bytes, holds `**` or a character that no tool name has.
    pub fn new(text: impl Into<String>) -> Result<Self, PatternError> {
        let text = text.into();
        let error = |reason: &str| PatternError { pattern: text.chars().take(160).collect(), reason: reason.into() };
        if text.is_empty() || text.len() > MAX_PATTERN {
            return Err(error("expected 1 to 128 characters"));
        }
        if text.contains("**") {
            return Err(error("`**` is not supported, `*` already matches every character"));
        }
        if !text.bytes().all(|byte| crate::contract::is_name_byte(byte) || byte == b'*' || byte == b'?') {
            return Err(error("expected only A-Z a-z 0-9 _ . : / - and the wildcards * and ?"));
        }
        if text == ALL || !text.contains(['*', '?']) {
            return Ok(Self { matcher: None, text });
        }
        let glob = GlobBuilder::new(&text)
            .case_insensitive(false)
            .literal_separator(false)
            .backslash_escape(false)
            .empty_alternates(false)
            .build()
            .map_err(|reason| error(&reason.to_string()))?;
        Ok(Self { matcher: Some(glob.compile_matcher()), text })
    }

    /// Whether the pattern covers a tool.
    pub fn matches(&self, tool: &ToolName) -> bool {
        match &self.matcher {
            Some(matcher) => matcher.is_match(tool.as_str()),
            None => self.text == ALL || self.text == tool.as_str(),
        }
    }

    /// Whether this pattern certainly covers every tool that `other` covers.
    ///
    /// Sound, not complete: `?*` covers what `*?` does, and this says no.
    pub fn covers(&self, other: &Self) -> bool {
        covers(self.text.as_bytes(), other.text.as_bytes())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Matches `narrow` as if its wildcards were characters that only the same or a wider wildcard matches.
fn covers(wide: &[u8], narrow: &[u8]) -> bool {
    let (mut w, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&symbol) = narrow.get(n) {
        match wide.get(w) {
            Some(b'*') => {
                star = Some((w, n));
                w += 1;
            }
            Some(b'?') if symbol != b'*' => (w, n) = (w + 1, n + 1),
            Some(&literal) if literal == symbol => (w, n) = (w + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (w, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    wide.get(w..).is_some_and(|rest| rest.iter().all(|symbol| *symbol == b'*'))
}

impl PartialEq for ToolPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ToolPattern {}

impl std::fmt::Display for ToolPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.text)
    }
}

impl std::str::FromStr for ToolPattern {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::new(text)
    }
}

impl Serialize for ToolPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ToolPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> ToolPattern {
        ToolPattern::new(text).unwrap()
    }

    #[test]
    fn stars_cross_separators_and_case_matters() {
        let tool = ToolName::new("mcp:github/issues.list").unwrap();
        assert!(pattern("mcp:*").matches(&tool) && pattern("*list").matches(&tool) && pattern("*").matches(&tool));
        assert!(!pattern("MCP:*").matches(&tool) && !pattern("mcp:").matches(&tool));
        assert!(pattern("mcp:github/issues.list").matches(&tool) && !pattern("mcp:github/issues.lists").matches(&tool));
    }

    #[test]
    fn cover_is_reflexive_and_refuses_widening() {
        for (wide, narrow, expected) in [
            ("*", "fs_?", true),
            ("fs_*", "fs_read", true),
            ("fs_*", "fs_*", true),
            ("fs_?", "fs_*", false),
            ("fs_read", "fs_*", false),
            ("a*b*c", "axbxc", true),
            ("a*b*c", "a*c", false),
            ("a?c", "a?c", true),
            ("a?c", "abc", true),
            ("abc", "a?c", false),
        ] {
            assert_eq!(pattern(wide).covers(&pattern(narrow)), expected, "{wide} over {narrow}");
        }
    }

    #[test]
    fn what_other_globs_would_read_differently_is_refused() {
        for text in ["", "a**b", "a{b,c}", "[ab]", "a\\b", "a b", "é"] {
            assert!(ToolPattern::new(text).is_err(), "{text}");
        }
    }
}
