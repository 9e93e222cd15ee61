use std::collections::BTreeSet;

use futures::executor::block_on;
use serde_json::{Value, json};

use super::{
    failure::{Done, Failure},
    locate::{self, Place},
    out::Out,
    style::plain,
    time::rfc3339,
};
use crate::{
    approval,
    canon::TrajectoryId,
    ledger::{
        Entry, Kind, LedgerStore,
        record::{SkillBound, Terminated},
    },
    replay::task_of,
    writ::MAX_SKILLS,
};

/// List the runs of a ledger, the latest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a list tells of a run.
pub(super) struct Listed {
    run: TrajectoryId,
    opened_ms: u64,
    status: String,
    entries: u64,
    position: Option<u64>,
    /// Those that it was bound to when it started.
    skills: Vec<String>,
    task: Option<String>,
    parent: Option<TrajectoryId>,
}

pub(super) fn run(args: &Args) -> Done {
    let ledger = args.place.open_existing()?;
    let runs = block_on(list(&ledger, args.limit))?;
    let mut out = Out::new();
    if args.json {
        out.json(&runs.iter().map(Listed::json).collect::<Value>());
    } else {
        show(&mut out, &runs);
    }
    out.finish()
}

/// The latest runs.
pub(super) async fn list(store: &dyn LedgerStore, limit: usize) -> Done<Vec<Listed>> {
    let waiting: BTreeSet<_> = approval::waiting(store).await?.into_iter().map(|(run, _)| run).collect();
    let mut runs = Vec::new();
    for (opened, opened_ms) in locate::opened(store, limit).await? {
        let run = opened.trajectory;
        let Some(head) = store.head(&run).await? else {
            let status = "MISSING".to_owned();
            let (skills, task, parent) = (vec![], None, None);
            runs.push(Listed { run, opened_ms, status, entries: 0, position: None, skills, task, parent });
            continue;
        };
        let mut first = store.read(&run, 0, 2).await?;
        let is_skill = |entry: &Entry| entry.header.known_kind() == Some(Kind::Skill);
        if first.get(1).is_some_and(is_skill) {
            first = store.read(&run, 0, 1 + MAX_SKILLS).await?;
        }
        let bound = first.iter().skip(1).take_while(|entry| is_skill(entry));
        let skills = bound.filter_map(|entry| Some(entry.body::<SkillBound>().ok()?.definition.reference())).collect();
        let task = first.first().and_then(task_of);
        let last = store.read(&run, head.seq, 1).await?.into_iter().next();
        let status = match last.as_ref().and_then(|last| Some((last.header.known_kind()?, last))) {
            Some((Kind::Terminated, last)) => last.body::<Terminated>().map_err(Failure::failed)?.reason.to_string(),
            Some(_) if waiting.contains(&run) => "suspended".into(),
            _ => "open".into(),
        };
        let (entries, position) = (head.seq + 1, Some(head.position.0));
        let parent = locate::parent(store, &run).await?;
        runs.push(Listed { run, opened_ms, status, entries, position, skills, task, parent });
    }
    Ok(runs)
}

/// Shows runs as a table.
pub(super) fn show(out: &mut Out, runs: &[Listed]) {
    if runs.is_empty() {
        out.line("no runs yet");
        return;
    }
    let row = |listed: &Listed| {
        let below = if listed.parent.is_some() { "↳ " } else { "" };
        let task = format!("{below}{}", listed.task.as_deref().map_or("(erased)".into(), plain));
        let (entries, when) = (listed.entries.to_string(), rfc3339(listed.opened_ms));
        let task = match listed.skills.as_slice() {
            [] => task,
            skills => format!("{task} ({})", skills.join(", ")),
        };
        vec![listed.run.short(), when, listed.status.clone(), entries, task]
    };
    let rows: Vec<_> = runs.iter().map(row).collect();
    out.table(&["RUN", "STARTED", "STATUS", "ENTRIES", "TASK"], &rows);
}

impl Listed {
    fn json(&self) -> Value {
        let Self { run, opened_ms, status, entries, position, skills, task, parent } = self;
        json!({
            "run": run, "started_ms": opened_ms, "status": status, "entries": entries, "position": position, "skills": skills,
            "task": task, "parent": parent,
        })
    }
}
