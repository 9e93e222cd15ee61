//! A runtime on a workspace's ledger, and a drive of a run on it, shown as it happens.

use std::{
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anstream::eprintln;
use futures::{
    StreamExt,
    executor::block_on,
    future::{Either, FutureExt, select},
};
use serde_json::json;

use super::{
    ask::{self, Approver},
    budget,
    contracts::Renewed,
    failure::{Done, Failure},
    home::{Home, ROOT, RUNTIME},
    locate::{Place, quoted},
    out::Out,
    policy,
    secrets::Secrets,
    steward,
    stream::{self, Stream},
    style::{BAD, BOLD, DIM, GOOD, HINT, WARN, paint, plain},
    tools,
};
use crate::{
    approval::Request,
    canon::{EntryId, TrajectoryId, domain},
    cognition::{Cognition, Explorer, Mock},
    contract::ContractSet,
    crypto::{NamedKey, Trust},
    host::EnvSecrets,
    ledger::record::EndReason,
    policy::PolicySet,
    proposal::{Code, Refusal},
    runtime::{Builder, Event, EventKind, Limits, Run, Runtime, StartError, Subjects, Summary, WhyStopped},
    tool::ToolContract,
    writ::{Amounts, WritChain},
};

/// How a run is driven.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    #[command(flatten)]
    pub(super) place: Place,
    /// Play the steps of this JSON file instead of exploring
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Rules that narrow the writ: a signed bundle; may be given several times
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Take bundles that nobody signed
    #[arg(long, requires = "policy")]
    allow_unsigned_policy: bool,
    /// At a terminal, sign what you approve with this key of an approver, instead of answering as whoever is there
    #[arg(long, value_name = "NAME")]
    approver: Option<String>,
    #[command(flatten)]
    secrets: Secrets,
    /// Print a JSON object per event, and the summary as the last one
    #[arg(long)]
    pub(super) json: bool,
}

/// What a session needs, found to be in order before a key or a ledger is made.
pub(super) struct Prepared {
    workspace: PathBuf,
    cognition: Box<dyn Cognition>,
    tools: Vec<Arc<dyn ToolContract>>,
    pub(super) policies: PolicySet,
    secrets: EnvSecrets,
    approver: Approver,
    pub(super) contracts: ContractSet,
}

impl Prepared {
    pub(super) fn new(how: &How, home: &Home) -> Done<Self> {
        let workspace = how.place.workspace(home)?;
        let cognition = cognition(how)?;
        let secrets = how.secrets.store()?;
        let key = how.approver.as_ref().map(|name| Done::Ok((name.clone(), home.secret(name)?))).transpose()?;
        let tools = tools::of(&workspace)?;
        let contracts = tools::contracts(&tools)?;
        let roots = if home.exists() { home.roots()? } else { Trust::default() };
        let policies = policy::set(&how.policy, how.allow_unsigned_policy, &roots, &contracts)?;
        Ok(Self { workspace, cognition, tools, policies, secrets, approver: Approver { key }, contracts })
    }

    /// Opens the ledger, making one where there is none.
    pub(super) fn open(self, how: &How, home: &Home, tune: impl FnOnce(Builder) -> Builder) -> Done<Session> {
        let Self { workspace, cognition, tools, policies, secrets, approver, .. } = self;
        let builder = Runtime::builder().signer(RUNTIME, home.secret(RUNTIME)?).tools(tools.clone());
        let mut builder = builder.policies(policies).secrets(secrets).delegation(subjects(home)?);
        for trusted in home.trust()? {
            builder = builder.trust(NamedKey::new(trusted.name, trusted.key), trusted.roles);
        }
        steward::catch_up(home, &how.place)?;
        let interrupt = Interrupt::install()?;
        let ledger = how.place.open(&workspace)?;
        let runtime = block_on(tune(builder.ledger(ledger)).open()).map_err(|error| steward::wrong_home(&error))?;
        Ok(Session { runtime, cognition, tools, approver, interrupt })
    }
}

/// Every key that is here may be that of a writ's subject; those of children are derived from the runtime's.
fn subjects(home: &Home) -> Done<Subjects> {
    let secret = domain::RUN_SECRET.hash(&[home.secret(RUNTIME)?.to_hex().as_bytes()]);
    let keys = home.names()?.into_iter().filter(|name| name != RUNTIME && name != ROOT);
    // A key that cannot be read is that of no run here.
    let keys = keys.filter_map(|name| home.secret(&name).ok());
    Ok(keys.fold(Subjects::default().secret(secret), Subjects::key))
}

fn cognition(how: &How) -> Done<Box<dyn Cognition>> {
    let Some(path) = &how.script else {
        return Ok(Box::new(Explorer::new()));
    };
    let script =
        std::fs::read(path).map_err(|error| Failure::usage(format!("script `{}`: {error}", path.display())))?;
    let mock = Mock::from_json(&script).map_err(|error| {
        Failure::usage(format!("script `{}`: {error}", path.display()))
            .hint("a script is a list of steps: [[{\"tool\":\"list_files\",\"args\":{}}],{\"answer\":\"done\"}]")
    })?;
    Ok(Box::new(mock))
}

/// An open ledger, and a cognition to drive a run with.
pub(super) struct Session {
    pub(super) runtime: Runtime,
    cognition: Box<dyn Cognition>,
    tools: Vec<Arc<dyn ToolContract>>,
    approver: Approver,
    interrupt: Interrupt,
}

/// How a run that was driven stands.
pub(super) struct Driven {
    why: WhyStopped,
    pub(super) refusals: Vec<Refusal>,
}

impl Driven {
    /// What the command comes to.
    pub(super) fn done(&self) -> Done {
        match self.why {
            WhyStopped::Ended(EndReason::Completed) => Ok(()),
            WhyStopped::Suspended => Err(Failure::waits()),
            WhyStopped::Ended(_) => Err(Failure::told()),
        }
    }
}

impl Session {
    /// Drives a run under `chain`, shows what happens, and tells how it stands. At a terminal it asks about what waits for
    /// approval.
    pub(super) async fn drive(&mut self, run: &Run, chain: &WritChain, how: &How) -> Done<Driven> {
        if how.script.is_none() {
            eprintln!("no model is configured: the offline explorer looks at the workspace");
        }
        let mut out = Out::new();
        if !how.json {
            let title = format!("run {}", run.id().short());
            let what = format!("{} · {}", self.cognition.name(), super::trail::authority(chain.signed()));
            out.line(format_args!("{} {}", paint(BOLD, title), paint(DIM, plain(&what))));
            for bound in run.skills().await {
                let skill = &bound.skill;
                let told = format!(
                    "bound to {}, up to {}, {}",
                    skill.reference(),
                    skill.effect_ceiling,
                    budget::cap(&skill.budget)
                );
                out.line(paint(DIM, told));
            }
        }
        let again = format!("thymos resume {}{}{}", run.id().short(), how.place.arguments(), same_again(how));
        let (mut before, mut refusals) = (None, Vec::new());
        let summary = loop {
            self.interrupt.watch(Some(run));
            let driven = drive(run, &mut *self.cognition, &mut out, how.json, &mut refusals).await;
            let hint = || format!("`{again}` goes on from what is on record, once that is put right");
            let summary = together(before, driven.map_err(|failure| failure.hint(hint()))?);
            // Ctrl-C leaves the question at once: all is on record.
            self.interrupt.watch(None);
            let ask = summary.why == WhyStopped::Suspended && !how.json && ask::somebody_is_there();
            let mut decided = false;
            if ask {
                for run in open(run).await? {
                    decided |= ask::about(&self.runtime, &run, &self.tools, &self.approver, &mut out).await?;
                }
            }
            if !decided {
                break summary;
            }
            before = Some(summary);
        };
        let waiting = run.requests().await;
        let doubts = run.in_doubt().await;
        let below: Vec<_> = open(run).await?.into_iter().skip(1).collect();
        let ledger = std::path::absolute(how.place.ledger()).unwrap_or_else(|_| how.place.ledger());
        let renewed = Renewed::of_all(&refusals, &**self.runtime.ledger()).await?;
        if how.json {
            out.json(&summary_json(&summary, &chain.leaf().budget, &doubts, &waiting, &ledger, &renewed));
        } else {
            tell(&mut out, &summary, &chain.leaf().budget, &ledger, &how.place);
            for renewed in &renewed {
                let changed = paint(WARN, "changed:");
                out.line(format_args!("{changed} tool {} is not what was approved or pinned", plain(&renewed.tool)));
                renewed.show(&mut out);
            }
            in_doubt(&doubts, run, &how.place);
            waits(&waiting, run, &how.place, &again);
            for run in &below {
                in_doubt(&run.in_doubt().await, run, &how.place);
                waits(&run.requests().await, run, &how.place, &again);
            }
            if let (Some(child), true) = (below.first(), nobody_waits(&waiting, &below).await) {
                let hint =
                    format!("nobody works as child run {}: `{again} --script FILE` lets a script", child.id().short());
                eprintln!("{} {hint}", paint(HINT, "hint:"));
            }
            if refusals.iter().any(|refusal| refusal.code == Code::ClockBehind) {
                let hint =
                    "the clock is behind the latest time on record: `thymos clock` tells how far, and what to do";
                eprintln!("{} {hint}", paint(HINT, "hint:"));
            }
        }
        out.finish()?;
        Ok(Driven { why: summary.why, refusals })
    }
}

/// Whether nothing waits for approval, in the run or below it.
async fn nobody_waits(waiting: &[Request], below: &[Run]) -> bool {
    let mut all = waiting.len();
    for run in below {
        all += run.requests().await.len();
    }
    all == 0
}

/// A run, and all below it that have not ended: each before its children.
async fn open(run: &Run) -> Done<Vec<Run>> {
    let (mut runs, mut next) = (Vec::new(), vec![run.clone()]);
    while let Some(run) = next.pop() {
        for child in run.children().await.iter().rev().filter(|child| child.returned.is_none()) {
            match run.child(&child.run).await {
                Ok(child) => next.push(child),
                Err(StartError::Ended(_)) => {}
                Err(error) => return Err(Failure::failed(error)),
            }
        }
        runs.push(run);
    }
    Ok(runs)
}

/// The summary of a drive with what the drives before it did.
fn together(before: Option<Summary>, last: Summary) -> Summary {
    let Some(before) = before else { return last };
    Summary {
        steps: before.steps + last.steps,
        committed: before.committed + last.committed,
        rejected: before.rejected + last.rejected,
        failed: before.failed + last.failed,
        delegated: before.delegated + last.delegated,
        ..last
    }
}

/// Drives the run, and shows what happens as it happens.
async fn drive(
    run: &Run,
    cognition: &mut dyn Cognition,
    out: &mut Out,
    json: bool,
    refusals: &mut Vec<Refusal>,
) -> Done<Summary> {
    let (mut events, mut stream) = (run.events(), Stream::new(json, run.id()));
    let mut drive = Box::pin(run.drive(cognition, Limits::default()));
    let summary = loop {
        match select(events.next(), &mut drive).await {
            Either::Left((Some(event), _)) => show(&mut stream, out, &event, run.id(), refusals),
            Either::Left((None, _)) => break drive.await,
            Either::Right((summary, _)) => break summary,
        }
    };
    while let Some(Some(event)) = events.next().now_or_never() {
        show(&mut stream, out, &event, run.id(), refusals);
    }
    summary.map_err(Failure::failed)
}

fn show(stream: &mut Stream, out: &mut Out, event: &Event, run: TrajectoryId, refusals: &mut Vec<Refusal>) {
    stream.show(out, event);
    // What a child was refused is between it and its parent.
    if event.run == run
        && let EventKind::Rejected { refusal, .. } = &event.kind
    {
        refusals.push(refusal.clone());
    }
}

fn tell(out: &mut Out, summary: &Summary, budget: &Amounts, ledger: &Path, place: &Place) {
    if let Some(answer) = &summary.answer {
        stream::answer(out, answer);
    }
    out.line("");
    let (style, ended) = match summary.why {
        WhyStopped::Ended(EndReason::Completed) => (GOOD, "completed".to_owned()),
        WhyStopped::Ended(reason) => (BAD, reason.to_string()),
        WhyStopped::Suspended => {
            (WARN, if summary.detail.is_some() { "waits" } else { "waits for approval" }.to_owned())
        }
    };
    let detail = summary.detail.as_deref().map(|detail| format!(": {}", plain(detail))).unwrap_or_default();
    let Summary { committed, rejected, failed, suspended, delegated, .. } = summary;
    let mut counts = format!("{committed} committed, {rejected} rejected, {failed} failed");
    if *delegated > 0 {
        counts += &format!(", {delegated} delegated");
    }
    if *suspended > 0 {
        counts += &format!(", {suspended} suspended");
    }
    out.line(format_args!("{}{detail} · {counts}", paint(style, ended)));
    out.field("spent", budget::spent_of(&summary.spent, budget));
    out.field("head", format_args!("#{} {}", summary.head_seq, summary.head));
    out.field("ledger", ledger.display());
    out.line("");
    let place = place.arguments();
    for next in ["audit last", "replay last --verify", "export last -o run.ndjson"] {
        out.line(format_args!("  thymos {next}{place}"));
    }
}

/// Says which effects nobody knows of, and how to settle them.
fn in_doubt(doubts: &[(u64, EntryId)], run: &Run, place: &Place) {
    for (seq, _) in doubts {
        let (settle, place) = (format!("thymos resolve {} {seq}", run.id().short()), place.arguments());
        eprintln!("{} whether dispatch #{seq} took effect is not known: find out, then", paint(WARN, "in doubt:"));
        // A line each: what is pasted into a shell has to be a command as it stands.
        eprintln!("{} either of", paint(HINT, "hint:"));
        eprintln!("  {settle} --happened{place}");
        eprintln!("  {settle} --not-done{place}");
    }
}

/// Says what waits for whom, how to answer, and how to go on.
fn waits(waiting: &[Request], run: &Run, place: &Place, again: &str) {
    let (run, place) = (run.id().short(), place.arguments());
    for request in waiting {
        let (channel, reason) = request.asks();
        let what = format!("request #{} for `{}`", request.seq, plain(channel));
        eprintln!("{} {what}: {}", paint(WARN, "waits:"), plain(reason));
    }
    let Some(request) = waiting.first() else { return };
    let seq = request.seq;
    eprintln!("{} look at it, answer, and go on", paint(HINT, "hint:"));
    eprintln!("  thymos approvals {run}{place}");
    eprintln!("  thymos approve {run} {seq}{place}");
    eprintln!("  thymos approve {run} {seq} --deny{place}");
    eprintln!("  {again}");
}

/// What puts the same policies in force again, and hands out the same secrets.
fn same_again(how: &How) -> String {
    let files = how.policy.iter().map(|path| format!(" --policy {}", quoted(path.display())));
    let unsigned = if how.allow_unsigned_policy { " --allow-unsigned-policy" } else { "" };
    files.chain([unsigned.to_owned(), how.secrets.arguments()]).collect()
}

fn summary_json(
    summary: &Summary,
    budget: &Amounts,
    doubts: &[(u64, EntryId)],
    waiting: &[Request],
    ledger: &Path,
    renewed: &[Renewed],
) -> serde_json::Value {
    let why = match summary.why {
        WhyStopped::Ended(reason) => reason.as_str(),
        WhyStopped::Suspended => "suspended",
    };
    let doubts: Vec<_> = doubts.iter().map(|(seq, entry)| json!({"seq": seq, "entry": entry})).collect();
    let request = |request: &Request| {
        let (channel, reason) = request.asks();
        json!({"seq": request.seq, "entry": request.entry, "channel": channel, "reason": reason, "approved": request.approved})
    };
    let waiting: Vec<_> = waiting.iter().map(request).collect();
    json!({
        "event": "summary", "run": summary.run, "ended": why, "detail": summary.detail, "answer": summary.answer,
        "steps": summary.steps, "committed": summary.committed, "rejected": summary.rejected,
        "failed": summary.failed, "suspended": summary.suspended, "delegated": summary.delegated, "in_doubt": doubts, "waiting": waiting, "spent": summary.spent,
        "budget": budget, "head": summary.head, "head_seq": summary.head_seq,
        "ledger": ledger.display().to_string(), "changed_contracts": renewed,
    })
}

/// Ctrl-C: the first one cancels the run, which is recorded; the second one ends the process.
struct Interrupt {
    run: Arc<std::sync::Mutex<Option<Run>>>,
}

impl Interrupt {
    fn install() -> Done<Self> {
        let run: Arc<std::sync::Mutex<Option<Run>>> = Arc::default();
        let (watched, again) = (Arc::clone(&run), AtomicBool::new(false));
        let handler = move || {
            let run = watched.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match &*run {
                Some(run) if !again.swap(true, Ordering::SeqCst) => {
                    eprintln!("cancelling; once more to leave at once");
                    run.cancel();
                }
                _ => process::exit(130),
            }
        };
        ctrlc::set_handler(handler).map_err(Failure::failed)?;
        Ok(Self { run })
    }

    /// Cancels this run from now on, or lets Ctrl-C end the process.
    fn watch(&self, run: Option<&Run>) {
        *self.run.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = run.cloned();
    }
}

impl Drop for Interrupt {
    /// Lets go of the run: the handler lives as long as the process, and an open run keeps its ledger open.
    fn drop(&mut self) {
        self.watch(None);
    }
}
