use futures::executor::block_on;
use serde_json::{Value, json};

use super::{
    budget,
    failure::{Done, Failure},
    locate::{self, Place},
    out::Out,
    style::{BAD, BOLD, DIM, GOOD, WARN, count, fit, paint, plain},
    verdict,
};
use crate::{
    ledger::record::EndReason,
    replay::{self, Descendant, Lineage, Pins, ReplayError, Verdict},
};

/// Show a run and every run that came of it, and verify them together
///
/// Each is replayed from its entries, and what parents and children say of each other is compared: who started whom under which
/// writ, and how it ended.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos lineage last
  thymos lineage 4f21 --rederive --json")]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or `last`
    run: String,
    /// Derive every decision again
    #[arg(long)]
    rederive: bool,
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let ledger = args.place.open_existing()?;
    let outcome = block_on(async {
        let run = locate::find(&ledger, &args.run).await?;
        let pins = |_: &_| Pins { rederive: args.rederive, ..Pins::default() };
        Done::Ok(replay::lineage(&ledger, &run, pins).await)
    })?;
    let mut out = Out::new();
    match &outcome {
        Ok(lineage) if args.json => out.json(&json(lineage)),
        Ok(lineage) => show(&mut out, lineage),
        Err(error) if args.json => out.json(&json!({"verified": false, "fault": error.to_string()})),
        Err(error) => out.line(format_args!("{} · {}", paint(BAD, "NOT VERIFIED"), plain(&error.to_string()))),
    }
    out.finish()?;
    match outcome {
        Ok(lineage) if lineage.verdict() == Verdict::Verified => Ok(()),
        Ok(_) => Err(Failure::failed("not everything could be verified")),
        Err(ReplayError::Store(error)) => Err(error.into()),
        Err(_) => Err(Failure::failed("the runs do not verify")),
    }
}

fn show(out: &mut Out, lineage: &Lineage) {
    for (at, run) in lineage.runs.iter().enumerate() {
        let branches = branches(lineage.runs.get(at..).unwrap_or_default());
        let Descendant { report, task, .. } = run;
        let (style, status) = match report.ended {
            Some(EndReason::Completed) => (GOOD, "completed".to_owned()),
            Some(reason) => (BAD, reason.to_string()),
            None => (WARN, "open".to_owned()),
        };
        let told = format!("{branches}{}  {status}  ", report.trajectory.short());
        let spent = budget::words(&report.spent);
        let commits = count(report.commits, "commit", "commits");
        let task = task.as_deref().map_or("(erased)".into(), plain);
        let room = out.width().saturating_sub(told.chars().count() + commits.len() + spent.chars().count() + 6);
        out.line(format_args!(
            "{}{}  {}  {} · {commits} · {spent}",
            paint(DIM, &branches),
            paint(BOLD, report.trajectory.short()),
            paint(style, status),
            fit(&task, room.max(12)),
        ));
    }
    let entries = lineage.runs.iter().map(|run| run.report.entries).sum();
    let (runs, entries) = (count(lineage.runs.len() as u64, "run", "runs"), count(entries, "entry", "entries"));
    let signers = lineage.runs.first().map(|run| &run.report);
    let signers = signers.map_or(String::new(), |of| verdict::signers(&of.signers, of.signer_pinned, of.batched));
    let again = lineage.runs.iter().filter_map(|run| run.report.rederived.as_ref());
    let again = again.fold(None, |sum: Option<replay::Rederived>, of| {
        let mut sum = sum.unwrap_or_default();
        sum.add(of);
        Some(sum)
    });
    let again = verdict::again(again.as_ref());
    let told = match lineage.verdict() {
        Verdict::Verified => paint(GOOD, "consistent"),
        Verdict::Incomplete => paint(WARN, "INCOMPLETE"),
    };
    out.line(format_args!("{told} · {signers}{again} · {runs}, {entries}"));
    for run in lineage.runs.iter().filter(|run| run.report.verdict() == Verdict::Incomplete) {
        let why = plain(&run.report.incomplete.join("; "));
        out.line(format_args!("  {} {why}", paint(BOLD, run.report.trajectory.short())));
    }
}

/// What is drawn in front of the first of these runs: a line for every generation above it that goes on below.
fn branches(from: &[Descendant]) -> String {
    let Some((run, after)) = from.split_first() else { return String::new() };
    let goes_on = |generation: usize| {
        let next = after.iter().find(|later| later.generation <= generation);
        next.is_some_and(|next| next.generation == generation)
    };
    let above = (1..run.generation).map(|generation| if goes_on(generation) { "│  " } else { "   " });
    let own = match run.generation {
        0 => "",
        generation if goes_on(generation) => "├─ ",
        _ => "└─ ",
    };
    above.chain([own]).collect()
}

fn json(lineage: &Lineage) -> Value {
    let run = |run: &Descendant| {
        let mut told = verdict::report_json(&run.report);
        if let Some(members) = told.as_object_mut() {
            members.insert("generation".into(), run.generation.into());
            members.insert("parent".into(), json!(run.parent));
            members.insert("task".into(), json!(run.task));
        }
        told
    };
    let runs: Vec<_> = lineage.runs.iter().map(run).collect();
    json!({"verified": lineage.verdict() == Verdict::Verified, "runs": runs})
}
