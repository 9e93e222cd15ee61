//! A directory, tools over it in the shapes of the stock tools, and the loop that a run would be.

use std::{fs, path::Path};

use futures::executor::block_on;
use openthymos::{
    canon::IntentId,
    cognition::{Cognition, Context, Explorer, Outcome, PastOutcome, Request, ToolInfo, Turn, TurnPiece},
    contract::{Effect, Risk},
    writ::Amounts,
};
use serde_json::{Value, json};

pub struct Workspace(pub tempfile::TempDir);

/// How a run ended.
pub struct Run {
    pub turns: Vec<Turn>,
    pub history: Vec<PastOutcome>,
    pub answer: String,
}

impl Workspace {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        Self(dir)
    }

    /// What a stock tool would make of a call.
    pub fn execute(&self, request: &Request) -> Outcome {
        let text = |name: &str| request.args[name].as_str().unwrap_or_default();
        let failed = |message: String| Outcome::Failed { cause: "not_done".into(), message, effect: "none".into() };
        let output = match request.tool.as_str() {
            "list_files" if !self.0.path().join(text("path")).is_dir() => {
                return failed(format!("`{}` is no directory", text("path")));
            }
            "list_files" => {
                let depth = request.args["depth"].as_u64().unwrap_or(64);
                let mut entries = self.walk(text("path"), depth);
                let limit = request.args["limit"].as_u64().unwrap() as usize;
                let truncated = entries.len() > limit;
                entries.truncate(limit);
                json!({"entries": entries, "truncated": truncated})
            }
            "fs_read" => match fs::read(self.0.path().join(text("path"))).map(String::from_utf8) {
                Ok(Ok(content)) => json!({"content": content, "truncated": false}),
                Ok(Err(_)) => return failed(format!("`{}` is binary", text("path"))),
                Err(_) => return failed(format!("`{}` does not exist", text("path"))),
            },
            "grep" => {
                let pattern = regex::Regex::new(text("pattern")).unwrap();
                let endings: Vec<_> =
                    text("glob").trim_start_matches("**/*.").trim_matches(['{', '}']).split(',').collect();
                let mut matches = Vec::new();
                for entry in self.walk("", 64).iter().filter(|entry| entry["kind"] == "file") {
                    let path = entry["path"].as_str().unwrap();
                    let content = fs::read(self.0.path().join(path)).unwrap();
                    let Ok(content) = String::from_utf8(content) else { continue };
                    if endings == [""] || endings.iter().any(|ending| path.ends_with(&format!(".{ending}"))) {
                        let lines = content.lines().enumerate().filter(|(_, line)| pattern.is_match(line));
                        matches.extend(lines.map(|(at, line)| json!({"path": path, "line": at + 1, "text": line})));
                    }
                }
                json!({"matches": matches, "truncated": null})
            }
            "fs_write" => {
                fs::write(self.0.path().join(text("path")), text("content")).unwrap();
                json!({"written": true})
            }
            other => return failed(format!("no tool `{other}`")),
        };
        Outcome::Committed { output }
    }

    fn walk(&self, base: &str, depth: u64) -> Vec<Value> {
        let mut found = Vec::new();
        let mut names: Vec<_> = fs::read_dir(self.0.path().join(base)).unwrap().map(|entry| entry.unwrap()).collect();
        names.sort_by_key(fs::DirEntry::file_name);
        for entry in names {
            let path = Path::new(base).join(entry.file_name()).to_str().unwrap().to_owned();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                found.push(json!({"path": path, "kind": "dir"}));
                if depth > 1 {
                    found.extend(self.walk(&path, depth - 1));
                }
            } else {
                found.push(json!({"path": path, "kind": "file", "bytes": meta.len()}));
            }
        }
        found
    }

    /// Lets an explorer look at it with every tool and enough budget.
    pub fn explore(&self, task: &str) -> Run {
        drive(&context(task, 100, &["list_files", "fs_read", "grep", "fs_write"]), |request| self.execute(request))
    }
}

pub fn context(task: &str, calls: u64, tools: &[&str]) -> Context {
    let info = |name: &&str| ToolInfo {
        name: (*name).into(),
        description: String::new(),
        schema: json!({"type": "object"}),
        effect: if *name == "fs_write" { Effect::Write } else { Effect::Read },
        risk: Risk::Low,
    };
    let remaining = Amounts { tool_calls: calls, ..Amounts::ZERO };
    Context { task: task.into(), tools: tools.iter().map(info).collect(), remaining, ..Context::default() }
}

/// Steps an explorer until it answers; every call that `execute` is asked for costs one.
pub fn drive(context: &Context, execute: impl FnMut(&Request) -> Outcome) -> Run {
    drive_with(context, execute, |_| {})
}

/// The same, with something done to the explorer before each step.
pub fn drive_with(
    context: &Context,
    mut execute: impl FnMut(&Request) -> Outcome,
    mut before: impl FnMut(&mut Explorer),
) -> Run {
    let mut explorer = Explorer::new();
    let mut context = context.clone();
    let mut turns = Vec::new();
    loop {
        assert!(turns.len() <= 20, "no end in sight");
        before(&mut explorer);
        let turn = block_on(explorer.step(&context, &|_: TurnPiece| {})).unwrap();
        assert_eq!(turn.usage, Amounts::ZERO);
        turns.push(turn.clone());
        if turn.requests.is_empty() {
            let answer = turn.answer.expect("an explorer that stops answers");
            return Run { turns, history: context.history, answer };
        }
        for request in &turn.requests {
            assert!(context.remaining.tool_calls > 0, "asked for more than the budget holds");
            context.remaining.tool_calls -= 1;
            context.history.push(PastOutcome {
                step: context.step,
                intent: IntentId([0; 32]),
                tool: request.tool.clone(),
                args: request.args.clone(),
                outcome: execute(request),
            });
        }
        context.step += 1;
    }
}
