use globset::{GlobBuilder, GlobMatcher};

use super::path::WorkspacePath;
use crate::tool::ToolError;

const MAX_GLOB_BYTES: usize = 512;

/// Which paths a glob selects: by name when it has no `/`, else by the path from the workspace's root.
pub(super) struct Select(Option<(GlobMatcher, bool)>);

impl Select {
    /// Reads a glob; `None` selects everything.
    pub(super) fn parse(glob: Option<&str>) -> Result<Self, ToolError> {
        let Some(glob) = glob else { return Ok(Self(None)) };
        let shown: String = glob.chars().take(160).collect();
        let refuse = |why: String| ToolError::NotDone(format!("glob `{shown}` {why}"));
        if glob.len() > MAX_GLOB_BYTES {
            return Err(refuse(format!("is longer than {MAX_GLOB_BYTES} bytes")));
        }
        let by_path = glob.contains('/');
        let built = GlobBuilder::new(glob.trim_start_matches("./")).literal_separator(true).build();
        let built = built.map_err(|error| refuse(format!("is not valid: {}", error.kind())))?;
        Ok(Self(Some((built.compile_matcher(), by_path))))
    }

    /// Whether the path is selected.
    pub(super) fn holds(&self, path: &WorkspacePath) -> bool {
        match &self.0 {
            None => true,
            Some((glob, true)) => glob.is_match(path.to_string()),
            Some((glob, false)) => path.names().last().is_some_and(|name| glob.is_match(name)),
        }
    }
}
