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
    budget,
    failure::{Done, Failure},
    grant::Grant,
    home::{AGENT, Home, ROOT, RUNTIME},
    locate::Place,
    out::Out,
    policy,
    stream::{self, Stream},
    style::{BAD, BOLD, DIM, GOOD, HINT, WARN, paint, plain},
    time::now_ms,
    tools, writ,
};
use crate::{
    cognition::{Cognition, Explorer, Mock},
    contract::ContractSet,
    crypto::{NamedKey, SecretKey, Trust},
    ledger::record::EndReason,
    proposal::{Code, Refusal},
    runtime::{Event, EventKind, Limits, Run, Runtime, StartError, Summary, WhyStopped},
    writ::{Window, WritBuilder, WritChain},
};

const HOUR_MS: u64 = 3_600_000;

/// Run a task under a writ, and record every step
///
/// Without --script the offline explorer looks at the workspace: no model is asked. The writ is issued for this run and for
/// one hour; what is not given: tools that only read, effects up to read, 200 calls and 600 seconds. A refused intent is no
/// error; a run that does not complete is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos run \"Map this repository\"
  thymos run \"Write notes\" --script notes.json --scopes 'fs_*' --effects write
  thymos run \"Map this repository\" --writ writ.json --key agent --json")]
pub(super) struct Args {
    /// What is to be done
    task: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    grant: Grant,
    /// Play the steps of this JSON file instead of exploring
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Rules that narrow the writ: a signed bundle; may be given several times
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Take bundles that nobody signed
    #[arg(long, requires = "policy")]
    allow_unsigned_policy: bool,
    /// Run under the writ in this file instead of one issued for this run
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with_all = ["scopes", "effects", "budget"])]
    writ: Option<PathBuf>,
    /// The key of that writ's subject
    #[arg(long, value_name = "NAME", requires = "writ")]
    key: Option<String>,
    /// Print a JSON object per event, and the summary as the last one
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let home = Home::locate()?;
    let workspace = args.place.workspace(&home)?;
    // Everything that can be wrong with the command is found before a key or a ledger is made.
    let mut cognition = cognition(args)?;
    let presented = args.writ.as_deref().map(writ::load).transpose()?;
    let tools = tools::of(&workspace)?;
    let contracts = tools::contracts(&tools)?;
    let roots = if home.exists() { home.roots()? } else { Trust::default() };
    let policies = policy::set(&args.policy, args.allow_unsigned_policy, &roots, &contracts)?;
    home.ensure()?;
    let subject_name = args.key.as_deref().unwrap_or(AGENT);
    let subject = home.secret(subject_name)?;
    let mut builder = Runtime::builder().signer(RUNTIME, home.secret(RUNTIME)?).tools(tools).policies(policies);
    for trusted in home.trust()? {
        builder = builder.trust(NamedKey::new(trusted.name, trusted.key), trusted.roles);
    }
    let interrupt = Interrupt::install()?;
    let ledger = args.place.open(&workspace)?;
    block_on(async {
        let runtime = builder.ledger(ledger).open().await.map_err(|error| wrong_home(&error))?;
        let chain = match presented {
            Some(chain) => chain,
            None => {
                let named = NamedKey::new(subject_name, subject.public_key());
                issue(&args.grant, &runtime, &home, named).await?
            }
        };
        let run = runtime.start(&args.task, &chain, &subject).await.map_err(refused)?;
        interrupt.watch(&run);
        if args.script.is_none() {
            eprintln!("no model is configured: the offline explorer looks at the workspace");
        }
        let mut out = Out::new();
        if !args.json {
            let title = format!("run {}", run.id().short());
            let how = format!("{} · {}", cognition.name(), super::trail::authority(chain.signed()));
            out.line(format_args!("{} {}", paint(BOLD, title), paint(DIM, plain(&how))));
        }
        let (summary, refusals) = drive(&run, &mut *cognition, &mut out, args.json).await?;
        let ledger = std::path::absolute(args.place.ledger()).unwrap_or_else(|_| args.place.ledger());
        let completed = summary.why == WhyStopped::Ended(EndReason::Completed);
        if args.json {
            out.json(&summary_json(&summary, &chain, &ledger));
        } else {
            tell(&mut out, &summary, &chain, &ledger, args);
            if args.writ.is_none() {
                hints(&refusals, &contracts, &args.grant);
            }
        }
        out.finish()?;
        if completed { Ok(()) } else { Err(Failure::told()) }
    })
}

fn cognition(args: &Args) -> Done<Box<dyn Cognition>> {
    let Some(path) = &args.script else {
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

/// Issues the writ of this run: from the root to the agent, for this store and for one hour.
async fn issue(grant: &Grant, runtime: &Runtime, home: &Home, subject: NamedKey) -> Done<WritChain> {
    let root: SecretKey = home.secret(ROOT)?;
    let now = now_ms();
    WritBuilder::root(NamedKey::new(ROOT, root.public_key()), subject)
        .stores([runtime.store_id()])
        .scopes(grant.scopes(runtime.contracts())?)
        .effects_up_to(grant.effects())
        .budget(grant.budget())
        .window(Window { not_before_ms: now, expires_at_ms: now.saturating_add(HOUR_MS) })
        .sign(&root)
        .await
        .map_err(Failure::failed)
}

/// Drives the run, and shows what happens as it happens.
async fn drive(run: &Run, cognition: &mut dyn Cognition, out: &mut Out, json: bool) -> Done<(Summary, Vec<Refusal>)> {
    let (mut events, mut stream) = (run.events(), Stream::new(json));
    let mut refusals = Vec::new();
    let mut drive = Box::pin(run.drive(cognition, Limits::default()));
    let summary = loop {
        match select(events.next(), &mut drive).await {
            Either::Left((Some(event), _)) => show(&mut stream, out, &event, &mut refusals),
            Either::Left((None, _)) => break drive.await,
            Either::Right((summary, _)) => break summary,
        }
    };
    while let Some(Some(event)) = events.next().now_or_never() {
        show(&mut stream, out, &event, &mut refusals);
    }
    summary.map(|summary| (summary, refusals)).map_err(Failure::failed)
}

fn show(stream: &mut Stream, out: &mut Out, event: &Event, refusals: &mut Vec<Refusal>) {
    stream.show(out, event);
    if let EventKind::Rejected { refusal, .. } = &event.kind {
        refusals.push(refusal.clone());
    }
}

/// Says which arguments would have allowed what was refused.
fn hints(refusals: &[Refusal], contracts: &ContractSet, grant: &Grant) {
    let refused = |code: Code| refusals.iter().filter(move |refusal| refusal.code == code);
    let mut tools: Vec<_> =
        refused(Code::OutOfScope).filter_map(|refusal| contracts.get(refusal.asked.as_ref()?)).collect();
    tools.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    tools.dedup_by(|a, b| a.name == b.name);
    let above = refused(Code::EffectAboveCeiling).filter_map(|refusal| refusal.asked.as_ref()?.parse().ok());
    let effect = tools.iter().map(|tool| tool.effect).chain(above).max().filter(|effect| *effect > grant.effects());
    let mut arguments = Vec::new();
    if let (false, Ok(scopes)) = (tools.is_empty(), grant.scopes(contracts)) {
        let granted = scopes.iter().map(|scope| scope.tool.to_string());
        let names: Vec<_> = granted.chain(tools.iter().map(|tool| tool.name.to_string())).collect();
        arguments.push(format!("--scopes '{}'", names.join(",")));
    }
    arguments.extend(effect.map(|effect| format!("--effects {effect}")));
    if refused(Code::BudgetExceeded).next().is_some() {
        arguments.push("a larger --budget".into());
    }
    if !arguments.is_empty() {
        eprintln!("{} what was refused is allowed with {}", paint(HINT, "hint:"), arguments.join(" "));
    }
}

fn tell(out: &mut Out, summary: &Summary, chain: &WritChain, ledger: &Path, args: &Args) {
    if let Some(answer) = &summary.answer {
        stream::answer(out, answer);
    }
    out.line("");
    let (style, ended) = match summary.why {
        WhyStopped::Ended(EndReason::Completed) => (GOOD, "completed".to_owned()),
        WhyStopped::Ended(reason) => (BAD, reason.to_string()),
        WhyStopped::Suspended => (WARN, "waits for approval".to_owned()),
    };
    let detail = summary.detail.as_deref().map(|detail| format!(": {}", plain(detail))).unwrap_or_default();
    let Summary { committed, rejected, failed, suspended, .. } = summary;
    let mut counts = format!("{committed} committed, {rejected} rejected, {failed} failed");
    if *suspended > 0 {
        counts += &format!(", {suspended} suspended");
    }
    out.line(format_args!("{}{detail} · {counts}", paint(style, ended)));
    out.field("spent", budget::spent_of(&summary.spent, &chain.leaf().budget));
    out.field("head", format_args!("#{} {}", summary.head_seq, summary.head));
    out.field("ledger", ledger.display());
    out.line("");
    let place = place_arguments(args);
    for next in ["audit last", "replay last --verify", "export last -o run.ndjson"] {
        out.line(format_args!("  thymos {next}{place}"));
    }
}

/// What the next commands need to find the same ledger.
fn place_arguments(args: &Args) -> String {
    let default = Place::default().ledger();
    let path = args.place.ledger();
    if path == default || path == Path::new(".thymos/ledger.redb") {
        return String::new();
    }
    format!(" --ledger '{}'", path.display())
}

fn summary_json(summary: &Summary, chain: &WritChain, ledger: &Path) -> serde_json::Value {
    let why = match summary.why {
        WhyStopped::Ended(reason) => reason.as_str(),
        WhyStopped::Suspended => "suspended",
    };
    json!({
        "event": "summary", "run": summary.run, "ended": why, "detail": summary.detail, "answer": summary.answer,
        "steps": summary.steps, "committed": summary.committed, "rejected": summary.rejected,
        "failed": summary.failed, "suspended": summary.suspended, "spent": summary.spent,
        "budget": chain.leaf().budget, "head": summary.head, "head_seq": summary.head_seq,
        "ledger": ledger.display().to_string(),
    })
}

fn wrong_home(error: &crate::runtime::BuildError) -> Failure {
    use crate::runtime::BuildError;
    match error {
        BuildError::WrongKey { .. } => Failure::failed(error)
            .hint("set THYMOS_HOME to the folder with this ledger's keys, or choose another ledger"),
        error => Failure::failed(error),
    }
}

fn refused(error: StartError) -> Failure {
    let refused = matches!(error, StartError::Refused(_) | StartError::InvalidChain { .. });
    let failure = Failure::failed(error);
    if refused {
        failure.hint("`thymos writ show` and `thymos writ verify` tell what a writ is good for")
    } else {
        failure
    }
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

    fn watch(&self, run: &Run) {
        *self.run.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(run.clone());
    }
}

impl Drop for Interrupt {
    /// Lets go of the run: the handler lives as long as the process, and an open run keeps its ledger open.
    fn drop(&mut self) {
        *self.run.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }
}
