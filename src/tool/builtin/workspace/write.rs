use std::sync::Arc;

use async_trait::async_trait;
use cap_std::fs::{Dir, Metadata};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{
    created::CreatedDirs,
    error::{describe, not_done, refuse},
    file::{find_dir, read_file, version},
    path::WorkspacePath,
    replace::{Staged, sync_dir},
};
use crate::{
    canon::FileHash,
    contract::{ArgumentFault, Contract, Effect, Risk},
    host::{Spawn, SystemEntropy},
    tool::{
        Call, Content, Preview, Probe, ToolContract, ToolError, ToolOutput, blocking,
        builtin::{stock, stock_name},
        function::arguments,
    },
};

const NAME: &str = "fs_write";
/// The largest content that an undo can put back, in bytes.
const MAX_UNDO_BYTES: usize = 1 << 20;

const DESCRIPTION: &str = "Creates, replaces or removes a text file of the workspace. `content` is the whole new \
content; null removes the file. The change is atomic: readers see the old content or the new. Missing parent \
directories are an error unless `create_dirs` is true. Refused: links, directories, read-only files, anything in \
`.git`, and files that changed since the call was decided.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WriteArgs {
    /// The file, relative to the workspace.
    path: String,
    /// The whole new content, written as it is, or null to remove the file.
    #[serde(deserialize_with = "explicit")]
    #[schemars(schema_with = "text_or_null")]
    content: Option<String>,
    /// Creates missing parent directories.
    #[serde(default)]
    create_dirs: bool,
    /// Refuses the call unless the file has this `hash`, as `fs_read` and `fs_write` return it; 64 zeros for no file.
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9a-f]{64}$"))]
    if_hash: Option<FileHash>,
}

/// A text or null that has to be there: a forgotten content must not remove a file.
fn explicit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

fn text_or_null(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"] })
}

pub(super) fn tool(root: Arc<Dir>) -> Arc<dyn ToolContract> {
    let builder = stock(NAME, Effect::Write, Risk::Medium).compensable().describe(DESCRIPTION);
    Arc::new(FsWrite { root, contract: builder.contract::<WriteArgs>() })
}

struct FsWrite {
    root: Arc<Dir>,
    contract: Contract,
}

#[async_trait]
impl ToolContract for FsWrite {
    fn contract(&self) -> Contract {
        self.contract.clone()
    }

    fn check_arguments(&self, args: &Value) -> Result<(), ArgumentFault> {
        arguments::<WriteArgs>(args).map(drop)
    }

    async fn probe(&self, args: &Value, spawn: &Arc<dyn Spawn>) -> Result<Probe, ToolError> {
        let target = Target::parse(args)?;
        let root = Arc::clone(&self.root);
        blocking(spawn, move || {
            let current = target.current(&root)?;
            target.check(&current)?;
            let compensable = current.content().is_none_or(|content| undo_text(content).is_some());
            Ok(Probe { compensable, version: Some(current.version()) })
        })
        .await
    }

    async fn preview(&self, args: &Value, spawn: &Arc<dyn Spawn>) -> Option<Preview> {
        let target = Target::parse(args).ok()?;
        let root = Arc::clone(&self.root);
        let shown = blocking(spawn, move || {
            let current = target.current(&root)?;
            let before = match (current.content(), current.content().and_then(undo_text)) {
                (None, _) => Content::Absent,
                (_, Some(text)) => Content::Text(text.to_owned()),
                (Some(content), None) => Content::Opaque { bytes: content.len() as u64 },
            };
            let after = target.args.content.clone().map_or(Content::Absent, Content::Text);
            Ok(Preview { subject: target.path.to_string(), before, after, version: Some(current.version()) })
        });
        shown.await.ok()
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        let target = Target::parse(&call.args)?;
        let root = Arc::clone(&self.root);
        let spawn = Arc::clone(&call.spawn);
        blocking(&spawn, move || target.write(&root, &call)).await
    }

    async fn reconcile(&self, args: &Value, probe: Option<FileHash>, spawn: &Arc<dyn Spawn>) -> Option<bool> {
        let target = Target::parse(args).ok()?;
        let wanted = target.wanted();
        let root = Arc::clone(&self.root);
        match blocking(spawn, move || target.current(&root)).await.ok()?.version() {
            version if version == wanted => Some(true),
            version if Some(version) == probe => Some(false),
            _ => None,
        }
    }
}

/// The content as an undo can put it back.
fn undo_text(content: &[u8]) -> Option<&str> {
    if content.len() > MAX_UNDO_BYTES { None } else { std::str::from_utf8(content).ok() }
}

/// What is in the place of the target; an orphan when there is not even its directory.
#[derive(Default)]
struct Current {
    file: Option<(Vec<u8>, Metadata)>,
    orphan: bool,
}

impl Current {
    fn content(&self) -> Option<&[u8]> {
        self.file.as_ref().map(|(content, _)| content.as_slice())
    }

    fn version(&self) -> FileHash {
        version(self.content())
    }
}

struct Target {
    path: WorkspacePath,
    parent: WorkspacePath,
    name: String,
    args: WriteArgs,
}

impl Target {
    fn parse(args: &Value) -> Result<Self, ToolError> {
        let args: WriteArgs = arguments(args).map_err(|fault| ToolError::NotDone(fault.to_string()))?;
        let (path, parent, name) = WorkspacePath::parse_file(&args.path)?;
        if path.is_git() {
            return refuse(&path, "is reserved for git");
        }
        Ok(Self { path, parent, name, args })
    }

    /// The version of the content that the call asks for.
    fn wanted(&self) -> FileHash {
        version(self.args.content.as_deref().map(str::as_bytes))
    }

    fn current(&self, root: &Dir) -> Result<Current, ToolError> {
        match find_dir(root, &self.parent)? {
            Some(dir) => self.current_in(&dir),
            None => Ok(Current { file: None, orphan: true }),
        }
    }

    fn current_in(&self, dir: &Dir) -> Result<Current, ToolError> {
        Ok(Current { file: read_file(dir, &self.path, &self.name)?, orphan: false })
    }

    fn check(&self, current: &Current) -> Result<(), ToolError> {
        match &current.file {
            Some((_, metadata)) if metadata.permissions().readonly() => refuse(&self.path, "is read-only"),
            None if self.args.content.is_none() => refuse(&self.path, "does not exist"),
            None if current.orphan && !self.args.create_dirs => {
                refuse(&self.parent, "does not exist: `create_dirs` would create it")
            }
            _ if self.args.if_hash.is_some_and(|hash| hash != current.version()) => {
                refuse(&self.path, "does not have the hash that `if_hash` asks for")
            }
            _ => Ok(()),
        }
    }

    fn write(&self, root: &Dir, call: &Call) -> Result<ToolOutput, ToolError> {
        let old = self.current(root)?;
        let expected = call.probe.ok_or_else(|| ToolError::NotDone("the call was not probed".into()))?;
        if old.version() != expected {
            return refuse(&self.path, "changed since the call was decided");
        }
        self.check(&old)?;
        let mut created = CreatedDirs::default();
        let dir = match created.open(root, &self.parent, self.args.create_dirs) {
            Ok(dir) => dir,
            Err(error) => return Err(created.remove(error)),
        };
        if let Err(error) = self.put(&dir, &old, call) {
            return Err(created.remove(error));
        }
        // From here on the file has changed.
        let failed = |why: String| ToolError::Failed(format!("after the change: {why}"));
        sync_dir(&dir).map_err(|error| failed(describe(&self.path, &error)))?;
        let new = self.current_in(&dir).map_err(|error| failed(error.to_string()))?;
        // Compared here: a postcondition sees masked arguments, not what was to be written.
        if new.version() != self.wanted() {
            return Err(failed(format!("`{}` has not the content that was written", self.path)));
        }
        Ok(self.output(&old, &new))
    }

    /// Puts the content in its place, or removes the file.
    fn put(&self, dir: &Dir, old: &Current, call: &Call) -> Result<(), ToolError> {
        let permissions = old.file.as_ref().map(|(_, metadata)| metadata.permissions());
        let staged = match &self.args.content {
            Some(content) => Some(
                Staged::write(dir, content.as_bytes(), permissions, &SystemEntropy).map_err(not_done(&self.path))?,
            ),
            None => None,
        };
        // Writing takes time: look once more, right before the one step that cannot be taken back.
        if self.current_in(dir)?.version() != old.version() {
            return refuse(&self.path, "changed since the call was decided");
        }
        if call.cancel.is_cancelled() {
            return Err(ToolError::NotDone("cancelled".into()));
        }
        let done = match staged {
            Some(staged) => staged.rename(&self.name),
            None => dir.remove_file(&self.name),
        };
        done.map_err(|error| {
            let why = describe(&self.path, &error);
            let now = self.current_in(dir).map(|now| now.version());
            if now == Ok(old.version()) { ToolError::NotDone(why) } else { ToolError::Failed(why) }
        })
    }

    fn output(&self, old: &Current, new: &Current) -> ToolOutput {
        let action = match (old.content(), &self.args.content) {
            (_, None) => "removed",
            (None, Some(_)) => "created",
            (Some(_), Some(_)) => "replaced",
        };
        let output = ToolOutput::new(json!({
            "path": self.path.to_string(),
            "action": action,
            "bytes": new.content().map_or(0, <[u8]>::len),
            "hash": new.version().to_string(),
            "old_hash": old.version().to_string(),
        }));
        let content = match old.content().map(undo_text) {
            None => Value::Null,
            Some(Some(text)) => text.into(),
            Some(None) => return output,
        };
        // Only what this call wrote is undone, not what somebody made of it since.
        let undo = json!({ "path": self.path.to_string(), "content": content, "if_hash": new.version().to_string() });
        output.undone_by(stock_name(NAME), undo)
    }
}
