use std::path::PathBuf;

use anstream::eprintln;
use futures::executor::block_on;
use serde_json::{Value, json};

use super::{
    budget,
    failure::{Done, Failure},
    home::{AGENT, Home, ROOT, RUNTIME},
    locate::{self, Place},
    out::Out,
    policy,
    secrets::Secrets,
    steward, stream,
    style::{BOLD, DIM, GOOD, HINT, WARN, count, paint, plain},
    time::now_ms,
    tools, undone, writ,
};
use crate::{
    canon::{EntryId, TrajectoryId},
    contract::{ContractSet, Effect},
    crypto::NamedKey,
    ledger::record::Target,
    replay::{Contracts, authority_of},
    runtime::{Halt, HaltCause, Rollback, RollbackError, Runtime, StartError, Subjects, Under, rollback_plan},
    writ::{Scope, ToolPattern, Window, WritBuilder, WritChain},
};

/// How long a writ holds that is issued for a rollback: as long as a vote on one of its steps.
const DAY_MS: u64 = 24 * 3_600_000;

/// Undo what a run did after a commit, the newest first
///
/// Each effect is undone by the call that its tool recorded for that, decided and carried out as any other call under a writ that
/// is presented for it, and recorded as a commit of its own. It stops where an effect cannot be undone, or the call that undoes it is
/// refused, fails or waits for approval; given again, it goes on from there. Nothing is undone twice. The run may have ended.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos rollback last --to start --dry-run
  thymos rollback 4f21 --to 7 --writ undo.json --key operator
  thymos rollback 4f21 --to start --keep 9

Exit codes: 0 all is undone, 1 it stopped, 2 wrong usage, 4 a step waits for approval.")]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or `last`
    run: String,
    /// The entry that stays: its number in the audit, the unique start of its id, of 8 digits or more, or `start` for none
    #[arg(long, value_name = "COMMIT|start")]
    to: String,
    /// An effect that stays as it is, for good: its number in the audit; may be given several times
    #[arg(long, value_name = "ENTRY")]
    keep: Vec<String>,
    /// Undo under the writ in this file instead of one issued for the calls of this rollback
    #[arg(long, value_name = "FILE", requires = "key")]
    writ: Option<PathBuf>,
    /// The key of that writ's subject
    #[arg(long, value_name = "NAME", requires = "writ")]
    key: Option<String>,
    /// Show what would be undone, and undo nothing
    #[arg(long)]
    dry_run: bool,
    /// Rules that narrow the writ: a signed bundle; may be given several times
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Take bundles that nobody signed
    #[arg(long, requires = "policy")]
    allow_unsigned_policy: bool,
    /// Undo under the policies of this command, whatever is in force
    #[arg(long)]
    change_policy: bool,
    #[command(flatten)]
    secrets: Secrets,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &Args) -> Done {
    let home = Home::locate()?;
    home.check()?;
    let presented = args.writ.as_deref().map(writ::load).transpose()?;
    let ledger = args.place.open_existing()?;
    let (run, effects, in_force) = block_on(async {
        let run = locate::find(&ledger, &args.run).await?;
        let effects = undone::Effects::of_all(&ledger, &run).await?;
        let log = authority_of(&ledger, None, Contracts::Of(&[])).await?;
        Done::Ok((run, effects, log.state().policy_set))
    })?;
    let to = effects.place(&args.to)?;
    let keep = args.keep.iter().map(|name| effects.target(name)).collect::<Done<Vec<EntryId>>>()?;
    let mut plan = block_on(rollback_plan(&ledger, &run, to)).map_err(refused)?;
    plan.retain(|(_, target)| !keep.contains(&target.entry));
    drop(ledger);
    if args.dry_run {
        return dry_run(args, &run, &effects, &plan);
    }
    let workspace = args.place.workspace(&home)?;
    let tools = tools::of(&workspace)?;
    let contracts = tools::contracts(&tools)?;
    let policies = policy::set(&args.policy, args.allow_unsigned_policy, &home.roots()?, &contracts)?;
    if let Some(before) = in_force.filter(|before| *before != policies.hash() && !args.change_policy) {
        let message = format!("policy set {before} is in force, and this command gives {}", policies.hash());
        let hint = "give the same --policy as the run, or --change-policy to undo under what this command gives";
        return Err(Failure::usage(message).hint(hint));
    }
    let key_name = args.key.as_deref().unwrap_or(AGENT);
    let subject = home.secret(key_name)?;
    let secrets = args.secrets.store()?;
    let mut builder = Runtime::builder().signer(RUNTIME, home.secret(RUNTIME)?).tools(tools);
    builder = builder.policies(policies).secrets(secrets).delegation(Subjects::default());
    for trusted in home.trust()? {
        builder = builder.trust(NamedKey::new(trusted.name, trusted.key), trusted.roles);
    }
    steward::catch_up(&home, &args.place)?;
    let runtime = steward::start(builder, &args.place)?;
    let rollback = block_on(async {
        // What waits for approval was asked for under the writ of the rollback before.
        let asked = effects.asked_under(&subject.public_key(), now_ms());
        let chain = match presented.or(asked) {
            Some(chain) => chain,
            None => {
                let named = NamedKey::new(key_name, subject.public_key());
                issue(&runtime, &home, named, &effects.tenant, &plan, &contracts).await?
            }
        };
        let under = Under::writ(&chain, &subject).keeping(keep);
        runtime.compensate_to(&run, to, under).await.map_err(refused)
    })?;
    let mut out = Out::new();
    if args.json {
        out.json(&told_json(&run, &effects, &rollback));
    } else {
        tell(&mut out, &run, &effects, &rollback, args);
    }
    out.finish()?;
    match rollback.halted.map(|halt| halt.cause) {
        None => Ok(()),
        Some(HaltCause::Suspended { .. }) => Err(Failure::waits()),
        Some(_) => Err(Failure::told()),
    }
}

/// Issues the writ of this rollback: from the root, for one day, and for the calls of the plan alone.
async fn issue(
    runtime: &Runtime,
    home: &Home,
    subject: NamedKey,
    tenant: &str,
    plan: &[(TrajectoryId, Target)],
    contracts: &ContractSet,
) -> Done<WritChain> {
    let root = home.secret(ROOT)?;
    let mut names: Vec<_> = plan.iter().filter_map(|(_, target)| Some(&target.undo.as_ref()?.tool)).collect();
    names.sort_unstable();
    names.dedup();
    let effect = names.iter().filter_map(|name| contracts.get(name.as_str())).map(|contract| contract.effect).max();
    let scopes = names.iter().map(|name| ToolPattern::new(name.as_str()).map(Scope::tools));
    let now = now_ms();
    WritBuilder::root(NamedKey::new(ROOT, root.public_key()), subject)
        .stores([runtime.store_id()])
        .tenant(tenant)
        .scopes(scopes.collect::<Result<Vec<_>, _>>().map_err(Failure::failed)?)
        .effects_up_to(effect.unwrap_or(Effect::Read))
        .budget(budget::DEFAULT)
        .window(Window { not_before_ms: now, expires_at_ms: now.saturating_add(DAY_MS) })
        .sign(&root)
        .await
        .map_err(Failure::failed)
}

fn dry_run(args: &Args, run: &TrajectoryId, effects: &undone::Effects, plan: &[(TrajectoryId, Target)]) -> Done {
    let mut out = Out::new();
    if args.json {
        let plan: Vec<_> = plan.iter().map(|(of, target)| effects.json(of, target)).collect();
        out.json(&json!({"run": run, "dry_run": true, "plan": plan}));
        return out.finish();
    }
    let title = format!("rollback of run {}", run.short());
    let steps = count(plan.len() as u64, "step", "steps");
    out.line(format_args!("{} {}", paint(BOLD, title), paint(DIM, format!("{steps}, nothing is undone"))));
    plan.iter().for_each(|(of, target)| left(&mut out, effects, below(run, of), target));
    out.finish()
}

/// What tells an effect of a run below from those of the run itself.
fn below(run: &TrajectoryId, of: &TrajectoryId) -> String {
    if run == of { String::new() } else { format!(" of child run {}", of.short()) }
}

/// An effect that is not undone, and how it would be.
fn left(out: &mut Out, effects: &undone::Effects, below: String, target: &Target) {
    let place = paint(DIM, format!("{:>4}{below}", format!("#{}", target.seq)));
    let tool = paint(BOLD, plain(&effects.tool(target)));
    match &target.undo {
        Some(undo) => out.line(format_args!("{place} {tool} to be undone by {}", plain(undo.tool.as_str()))),
        None => out.line(format_args!("{place} {tool} {}", paint(WARN, "cannot be undone"))),
    }
}

fn tell(out: &mut Out, run: &TrajectoryId, effects: &undone::Effects, rollback: &Rollback, args: &Args) {
    out.line(paint(BOLD, format!("rollback of run {}", run.short())));
    for step in &rollback.undone {
        let place = paint(DIM, format!("{:>4}{}", format!("#{}", step.seq), below(run, &step.run)));
        let by = format!("undone by {} #{}", plain(step.tool.as_str()), step.by_seq);
        out.line(format_args!("{place} {} {}", paint(BOLD, plain(&effects.name(&step.effect))), paint(GOOD, by)));
    }
    let stopped = rollback.halted.as_ref().map_or(run, |halt| &halt.run);
    rollback.left.iter().for_each(|target| left(out, effects, below(run, stopped), target));
    let undone = count(rollback.undone.len() as u64, "effect is", "effects are");
    let Some(Halt { run: of, at, seq, cause, message, .. }) = &rollback.halted else {
        out.line(format_args!("{} undone, nothing is left", paint(GOOD, undone)));
        return;
    };
    let why = match cause {
        HaltCause::Refused(refusal) => stream::refused(refusal),
        cause => format!("{}: {}", cause.code(), plain(message)),
    };
    out.line(format_args!("{} undone, {} {why}", undone, paint(WARN, format!("stopped at #{seq}{}:", below(run, of)))));
    let kept = if run == of { seq.to_string() } else { at.to_string() };
    let (run, place) = (of.short(), args.place.arguments());
    let hint = match cause {
        HaltCause::Suspended { seq, .. } => format!("`thymos approve {run} {seq}{place}`, then the same command again"),
        HaltCause::InDoubt => format!("find out, `thymos resolve {run} {seq}{place}`, then the same command again"),
        HaltCause::NotCompensable | HaltCause::Erased => {
            format!("where it is dealt with otherwise, `--keep {kept}` leaves it as it is")
        }
        _ => "once that is put right, the same command goes on from there".into(),
    };
    eprintln!("{} {hint}", paint(HINT, "hint:"));
}

fn told_json(run: &TrajectoryId, effects: &undone::Effects, rollback: &Rollback) -> Value {
    let undone = rollback.undone.iter().map(|step| {
        json!({"run": step.run, "seq": step.seq, "entry": step.effect, "tool": effects.name(&step.effect), "by": step.by, "by_seq": step.by_seq})
    });
    let halted = rollback.halted.as_ref().map(|halt| {
        let refusal = match &halt.cause {
            HaltCause::Refused(refusal) => Some(refusal),
            _ => None,
        };
        json!({"run": halt.run, "seq": halt.seq, "at": halt.at, "cause": halt.cause.code(), "message": halt.message, "entry": halt.entry, "refusal": refusal})
    });
    let stopped = rollback.halted.as_ref().map_or(run, |halt| &halt.run);
    let left: Vec<_> = rollback.left.iter().map(|target| effects.json(stopped, target)).collect();
    json!({"run": run, "undone": undone.collect::<Vec<_>>(), "halted": halted, "left": left})
}

fn refused(error: RollbackError) -> Failure {
    let writ = matches!(error, RollbackError::Start(StartError::Refused(_) | StartError::InvalidChain { .. }));
    let failure = Failure::failed(error);
    if writ {
        failure.hint("`thymos writ show` and `thymos writ verify` tell what a writ is good for")
    } else {
        failure
    }
}
