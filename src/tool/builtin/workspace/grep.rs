use std::{ops::ControlFlow, sync::Arc};

use cap_std::fs::Dir;
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    MAX_FILE_BYTES,
    error::refuse,
    file::{open_dir, read_file},
    path::WorkspacePath,
    select::Select,
    text::{as_text, slice},
    walk::{Entry, Options, Skipped, walk},
};
use crate::{
    contract::{Effect, Risk},
    tool::{CancelToken, ToolContract, ToolError, ToolOutput, builtin::stock},
};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;
/// The most bytes that one call searches.
const MAX_SEARCHED_BYTES: usize = 128 << 20;
/// The most bytes of paths and lines that one answer holds.
const MAX_OUTPUT_BYTES: usize = 256 << 10;
/// The most bytes of one line that are shown, and how many of them may lie before the match.
const MAX_LINE_BYTES: usize = 400;
const LEAD_BYTES: usize = 100;
const MAX_PATTERN_BYTES: usize = 4096;
const MAX_REGEX_BYTES: usize = 1 << 20;

const DESCRIPTION: &str = "Searches the text files of the workspace, or of one directory, or one file, for lines that \
match a regular expression (Rust syntax: no look-around, no back-references; start with `(?i)` to ignore case). Returns \
`matches` with `path`, the 1-based `line` and its `text`, sorted by path. Long lines are shortened around the match; `cut` \
tells. Binary files, files above 16 MiB, links, `.git` and what `.gitignore` files exclude are skipped. \
`truncated` names the limit that ended the search, or is null.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GrepArgs {
    /// The regular expression, matched line by line, without the line's end.
    #[schemars(length(min = 1, max = 4096))]
    pattern: String,
    /// The directory or file, relative to the workspace. The workspace itself when left out.
    path: Option<String>,
    /// Searches only files that match, such as `*.rs` (the name, in any directory) or `src/**/mod.rs` (the whole path).
    #[schemars(length(max = 512))]
    glob: Option<String>,
    /// The most matches to return. 100 when left out.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<usize>,
    /// Searches also what `.gitignore` files exclude.
    #[serde(default)]
    include_ignored: bool,
}

pub(super) fn tool(root: Arc<Dir>) -> Arc<dyn ToolContract> {
    let builder = stock("grep", Effect::Read, Risk::Low).host().describe(DESCRIPTION);
    Arc::new(builder.function(move |args: GrepArgs, call| grep(&root, &args, &call.cancel)))
}

fn grep(root: &Dir, args: &GrepArgs, cancel: &CancelToken) -> Result<ToolOutput, ToolError> {
    let pattern = compile(&args.pattern)?;
    let select = Select::parse(args.glob.as_deref())?;
    let start = WorkspacePath::parse(args.path.as_deref().unwrap_or_default())?;
    let limit = args.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let mut search = Search { root, pattern: &pattern, limit, cancel, found: Found::default() };
    let mut ended = None;
    let mut skipped = Skipped::default();
    if let Some(content) = one_file(root, &start)? {
        ended = search.content(&start, &content)?.break_value();
    } else {
        let mut walk = walk(root, &start, &Options { depth: usize::MAX, ignored: args.include_ignored, cancel })?;
        walk.entries.retain(|entry| entry.kind == "file" && select.holds(&entry.path));
        walk.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        skipped = walk.skipped;
        for entry in &walk.entries {
            ended = search.file(entry)?.break_value();
            if ended.is_some() {
                break;
            }
        }
        ended = ended.or(walk.cut.then_some("entries"));
    }
    let found = search.found;
    Ok(ToolOutput::new(json!({
        "matches": found.matches,
        "files_searched": found.files,
        "truncated": ended,
        "skipped": {
            "binary": found.binary,
            "ignored": skipped.ignored,
            "not_utf8_names": skipped.not_utf8_names,
            "too_large": found.too_large,
            "unreadable": found.unreadable + skipped.unreadable,
        },
    })))
}

fn compile(pattern: &str) -> Result<Regex, ToolError> {
    let shown: String = pattern.chars().take(160).collect();
    let refuse = |why: &str| ToolError::NotDone(format!("pattern `{shown}` {why}"));
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(refuse(&format!("is longer than {MAX_PATTERN_BYTES} bytes")));
    }
    let built = RegexBuilder::new(pattern).size_limit(MAX_REGEX_BYTES).dfa_size_limit(MAX_REGEX_BYTES).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => refuse("is too large when compiled: use smaller repetitions"),
        // The library draws the place of the fault over several lines; its last line says what it is.
        error => {
            let text = error.to_string();
            let why = text.lines().last().unwrap_or_default().trim();
            refuse(&format!("is not valid: {}", why.trim_start_matches("error: ")))
        }
    })
}

/// The content of `path` when it is anything but a directory.
fn one_file(root: &Dir, path: &WorkspacePath) -> Result<Option<Vec<u8>>, ToolError> {
    let Some((parent, name)) = path.split() else { return Ok(None) };
    let dir = open_dir(root, &parent)?;
    match dir.symlink_metadata(name) {
        Ok(found) if found.is_dir() => Ok(None),
        _ => match read_file(&dir, path, name)? {
            Some((content, _)) => Ok(Some(content)),
            None => refuse(path, "does not exist"),
        },
    }
}

struct Search<'a> {
    root: &'a Dir,
    pattern: &'a Regex,
    limit: usize,
    cancel: &'a CancelToken,
    found: Found,
}

#[derive(Default)]
struct Found {
    matches: Vec<Value>,
    files: usize,
    binary: usize,
    too_large: usize,
    unreadable: usize,
    searched_bytes: usize,
    output_bytes: usize,
}

/// Goes on, or names the limit that ends the search.
type Flow = ControlFlow<&'static str>;

impl Search<'_> {
    fn file(&mut self, entry: &Entry) -> Result<Flow, ToolError> {
        if entry.bytes > MAX_FILE_BYTES {
            self.found.too_large += 1;
            return Ok(Flow::Continue(()));
        }
        match one_file(self.root, &entry.path) {
            Ok(Some(content)) => self.content(&entry.path, &content),
            // It went away, or became something else, since the directory was read.
            Ok(None) | Err(_) => {
                self.found.unreadable += 1;
                Ok(Flow::Continue(()))
            }
        }
    }

    fn content(&mut self, path: &WorkspacePath, content: &[u8]) -> Result<Flow, ToolError> {
        let found = &mut self.found;
        found.searched_bytes += content.len();
        if found.searched_bytes > MAX_SEARCHED_BYTES {
            return Ok(Flow::Break("searched_bytes"));
        }
        let Some(text) = as_text(content) else {
            found.binary += 1;
            return Ok(Flow::Continue(()));
        };
        found.files += 1;
        for (index, line) in text.lines().enumerate() {
            if self.cancel.is_cancelled() {
                return Err(ToolError::NotDone("cancelled".into()));
            }
            let Some(hit) = self.pattern.find(line) else { continue };
            let shown = shorten(line, hit.start());
            found.output_bytes += path.to_string().len() + shown.len();
            if found.matches.len() >= self.limit {
                return Ok(Flow::Break("limit"));
            }
            if found.output_bytes > MAX_OUTPUT_BYTES {
                return Ok(Flow::Break("output_bytes"));
            }
            let cut = shown.len() < line.len();
            found.matches.push(json!({ "path": path.to_string(), "line": index + 1, "text": shown, "cut": cut }));
        }
        Ok(Flow::Continue(()))
    }
}

/// The line, or the piece of it around a match.
fn shorten(line: &str, hit: usize) -> &str {
    if line.len() <= MAX_LINE_BYTES {
        return line;
    }
    let start = hit.saturating_sub(LEAD_BYTES).min(line.len() - MAX_LINE_BYTES);
    slice(line, start, start + MAX_LINE_BYTES)
}
