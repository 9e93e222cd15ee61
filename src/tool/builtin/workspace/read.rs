use std::sync::Arc;

use cap_std::fs::Dir;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    error::refuse,
    file::{open_dir, read_file, version},
    path::WorkspacePath,
    text::{as_text, count_lines, floor, slice},
};
use crate::{
    contract::{Effect, Risk},
    tool::{ToolContract, ToolError, ToolOutput, builtin::stock},
};

const DEFAULT_LIMIT: usize = 64 << 10;
const MAX_LIMIT: usize = 512 << 10;
/// No character has more bytes, so that every piece holds at least one.
const MIN_LIMIT: usize = 4;

const DESCRIPTION: &str = "Reads a text file (UTF-8) of the workspace, whole or a piece of it. Returns `content`, the \
`offset` and the 1-based `line` at which it starts, the file's `total_bytes` and `total_lines`, and the `hash` of the \
whole file. When `truncated` is true, go on with `offset` set to `next_offset`. Binary files and files above 16 MiB are \
refused.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadArgs {
    /// The file, relative to the workspace.
    path: String,
    /// Where to start, in bytes. Moved back to the start of a character. The file's start when left out.
    offset: Option<usize>,
    /// Where to start instead of `offset`: the number of a line, counted from 1.
    #[schemars(range(min = 1))]
    line: Option<usize>,
    /// The most bytes to return, cut where a character ends. 65536 when left out.
    #[schemars(range(min = 4, max = 524_288))]
    limit: Option<usize>,
}

pub(super) fn tool(root: Arc<Dir>) -> Arc<dyn ToolContract> {
    let builder = stock("fs_read", Effect::Read, Risk::Low).host().describe(DESCRIPTION);
    Arc::new(builder.function(move |args: ReadArgs, _| read(&root, &args)))
}

fn read(root: &Dir, args: &ReadArgs) -> Result<ToolOutput, ToolError> {
    let (path, parent, name) = WorkspacePath::parse_file(&args.path)?;
    let dir = open_dir(root, &parent)?;
    let Some((content, _)) = read_file(&dir, &path, &name)? else { return refuse(&path, "does not exist") };
    let Some(text) = as_text(&content) else {
        return refuse(&path, &format!("is binary ({} bytes)", content.len()));
    };
    let start = match (args.offset, args.line) {
        (Some(_), Some(_)) => return Err(ToolError::NotDone("give `offset` or `line`, not both".into())),
        (Some(offset), None) if offset > text.len() => {
            return refuse(&path, &format!("has {} bytes: offset {offset} lies beyond its end", text.len()));
        }
        (Some(offset), None) => floor(text, offset),
        (None, Some(line)) => match line_start(text, line) {
            Some(start) => start,
            None => {
                return refuse(&path, &format!("has {} lines: line {line} lies beyond its end", count_lines(text)));
            }
        },
        (None, None) => 0,
    };
    let limit = args.limit.unwrap_or(DEFAULT_LIMIT).clamp(MIN_LIMIT, MAX_LIMIT);
    let piece = slice(text, start, start.saturating_add(limit));
    let end = start + piece.len();
    Ok(ToolOutput::new(json!({
        "path": path.to_string(),
        "content": piece,
        "offset": start,
        "line": newlines(text, start) + 1,
        "total_bytes": text.len(),
        "total_lines": count_lines(text),
        "truncated": end < text.len(),
        "next_offset": (end < text.len()).then_some(end),
        "hash": version(Some(&content)).to_string(),
    })))
}

/// How many line ends there are before a place.
fn newlines(text: &str, before: usize) -> usize {
    text.bytes().take(before).filter(|byte| *byte == b'\n').count()
}

/// Where a line starts; `None` when there is no such line. An empty file has a first line to start at.
fn line_start(text: &str, line: usize) -> Option<usize> {
    match line.checked_sub(2) {
        None => Some(0),
        Some(ends) => text.match_indices('\n').nth(ends).map(|(at, _)| at + 1).filter(|start| *start < text.len()),
    }
}
