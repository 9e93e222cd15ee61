use std::sync::Arc;

use cap_std::fs::Dir;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    path::WorkspacePath,
    select::Select,
    walk::{Options, walk},
};
use crate::{
    contract::{Effect, Risk},
    tool::{CancelToken, ToolContract, ToolError, ToolOutput, builtin::stock},
};

const DEFAULT_LIMIT: usize = 500;
const MAX_LIMIT: usize = 5000;
/// The most bytes of paths that one answer holds.
const MAX_PATH_BYTES: usize = 512 << 10;

const DESCRIPTION: &str = "Lists files and directories of the workspace, sorted by path, with kinds (`file`, `dir`, \
`link`, `other`) and the files' sizes in bytes. Links are not followed. What `.gitignore` files exclude and `.git` are \
left out. When there are more than `limit` entries, the deepest are left out and `truncated` is true, while \
`found` counts all: list a subdirectory, or use `glob`.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListArgs {
    /// The directory, relative to the workspace. The workspace itself when left out.
    path: Option<String>,
    /// Lists only what matches, such as `*.rs` (the name, in any directory) or `src/**/mod.rs` (the whole path).
    #[schemars(length(max = 512))]
    glob: Option<String>,
    /// How many levels to descend. 1 lists only the directory's own entries. All levels when left out.
    #[schemars(range(min = 1, max = 64))]
    depth: Option<usize>,
    /// The most entries to list. 500 when left out.
    #[schemars(range(min = 1, max = 5000))]
    limit: Option<usize>,
    /// Lists also what `.gitignore` files exclude.
    #[serde(default)]
    include_ignored: bool,
}

pub(super) fn tool(root: Arc<Dir>) -> Arc<dyn ToolContract> {
    let builder = stock("list_files", Effect::Read, Risk::Low).host().describe(DESCRIPTION);
    Arc::new(builder.function(move |args: ListArgs, call| list(&root, &args, &call.cancel)))
}

fn list(root: &Dir, args: &ListArgs, cancel: &CancelToken) -> Result<ToolOutput, ToolError> {
    let start = WorkspacePath::parse(args.path.as_deref().unwrap_or_default())?;
    let select = Select::parse(args.glob.as_deref())?;
    let depth = args.depth.unwrap_or(usize::MAX).max(1);
    let walk = walk(root, &start, &Options { depth, ignored: args.include_ignored, cancel })?;
    let matching: Vec<_> = walk.entries.iter().filter(|entry| select.holds(&entry.path)).collect();
    let limit = args.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let mut bytes = 0;
    // The walk goes level by level, so the first are the shallowest.
    let shallow = matching.iter().take(limit).take_while(|entry| {
        bytes += entry.path.to_string().len();
        bytes <= MAX_PATH_BYTES
    });
    let mut listed: Vec<_> = shallow.collect();
    listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let entries: Vec<Value> = listed
        .iter()
        .map(|entry| match entry.kind {
            "file" => json!({ "path": entry.path.to_string(), "kind": entry.kind, "bytes": entry.bytes }),
            kind => json!({ "path": entry.path.to_string(), "kind": kind }),
        })
        .collect();
    Ok(ToolOutput::new(json!({
        "path": start.to_string(),
        "truncated": walk.cut || listed.len() < matching.len(),
        "found": matching.len(),
        "entries": entries,
        "skipped": walk.skipped,
    })))
}
