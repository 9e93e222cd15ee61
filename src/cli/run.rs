use std::path::PathBuf;

use anstream::eprintln;
use futures::executor::block_on;

use super::{
    bindings::Skills,
    failure::{Done, Failure},
    grant::Grant,
    home::{AGENT, Home, ROOT},
    locate,
    session::{How, Prepared},
    style::{HINT, paint},
    time::now_ms,
    writ,
};
use crate::{
    canon::TrajectoryId,
    contract::{ContractSet, DELEGATE},
    crypto::{NamedKey, SecretKey},
    ledger::{
        Kind, LedgerStore,
        record::{BranchStart, RunStart},
    },
    proposal::{Code, Refusal},
    runtime::{Runtime, StartError},
    writ::{Scope, ToolPattern, UnverifiedChain, Window, WritBuilder, WritChain},
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
  thymos run \"Review the notes\" --skill reviewer@2 --param depth=3
  thymos run \"Map this repository\" --writ writ.json --key agent --json")]
pub(super) struct Args {
    /// What is to be done
    task: String,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    grant: Grant,
    /// How many generations of child runs may be delegated to; none when left out
    #[arg(long, value_name = "N", default_value_t = 0)]
    depth: u32,
    #[command(flatten)]
    skills: Skills,
    /// Start on the world that this run had, without touching it or the host: tools with an effect on the host are refused. Its writ is
    /// that of the run, unless another one is given
    #[arg(long, value_name = "RUN", conflicts_with_all = ["scopes", "effects", "budget", "depth", "skill"])]
    branch: Option<String>,
    /// The entry of that run after which it branches off, instead of its last
    #[arg(long, value_name = "SEQ", requires = "branch")]
    at: Option<u64>,
    /// Run under the writ in this file instead of one issued for this run
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with_all = ["scopes", "effects", "budget", "depth"])]
    writ: Option<PathBuf>,
    /// The key of that writ's subject
    #[arg(long, value_name = "NAME", requires = "writ")]
    key: Option<String>,
}

pub(super) fn run(args: &Args) -> Done {
    let home = Home::locate()?;
    // Everything that can be wrong with the command is found before a key or a ledger is made.
    let prepared = Prepared::new(&args.how, &home)?;
    let skills = args.skills.bindings(&home)?;
    let presented = args.writ.as_deref().map(writ::load).transpose()?;
    home.ensure()?;
    let subject_name = args.key.as_deref().unwrap_or(AGENT);
    let subject = home.secret(subject_name)?;
    let contracts = prepared.contracts.clone();
    let mut session = prepared.open(&args.how, &home, |builder| builder)?;
    block_on(async {
        let fork = match &args.branch {
            Some(name) => Some(fork(&**session.runtime.ledger(), name, args.at).await?),
            None => None,
        };
        let chain = match (presented, &fork) {
            (Some(chain), _) => chain,
            (None, Some(fork)) => fork.chain.clone(),
            (None, None) => {
                let named = NamedKey::new(subject_name, subject.public_key());
                issue(args, &session.runtime, &home, named).await?
            }
        };
        let started = match &fork {
            Some(Fork { run, at, .. }) => session.runtime.branch((run, *at), Some(&args.task), &chain, &subject).await,
            None => session.runtime.start_with(&args.task, &chain, &subject, skills).await,
        };
        let run = started.map_err(refused)?;
        let driven = session.drive(&run, &chain, &args.how).await?;
        if !args.how.json && args.writ.is_none() && args.branch.is_none() {
            hints(&driven.refusals, &contracts, &args.grant);
        }
        driven.done()
    })
}

/// Where a branch begins, and the writ of the run that it branches off.
struct Fork {
    run: TrajectoryId,
    at: u64,
    chain: WritChain,
}

async fn fork(store: &dyn LedgerStore, name: &str, at: Option<u64>) -> Done<Fork> {
    let run = locate::find(store, name).await?;
    let last = store.head(&run).await?.map_or(0, |head| head.seq);
    let first = store.read(&run, 0, 1).await?.into_iter().next();
    let chain = match first.as_ref().and_then(|first| Some((first.header.known_kind()?, first))) {
        Some((Kind::Root, first)) => first.body::<RunStart>().map_err(Failure::failed)?.chain,
        Some((Kind::Branch, first)) => first.body::<BranchStart>().map_err(Failure::failed)?.run.chain,
        _ => return Err(Failure::failed(format!("run {} has no entry that starts it", run.short()))),
    };
    let chain = UnverifiedChain { chain }.verify().map_err(Failure::failed)?;
    Ok(Fork { run, at: at.unwrap_or(last), chain })
}

/// Issues the writ of this run: from the root to the agent, for this store and for one hour.
async fn issue(Args { grant, depth, .. }: &Args, runtime: &Runtime, home: &Home, subject: NamedKey) -> Done<WritChain> {
    let root: SecretKey = home.secret(ROOT)?;
    let now = now_ms();
    let mut scopes = grant.scopes(runtime.contracts())?;
    if *depth > 0 && !scopes.iter().any(|scope| scope.tool.as_str() == DELEGATE) {
        scopes.push(Scope::tools(ToolPattern::new(DELEGATE).map_err(Failure::failed)?));
    }
    WritBuilder::root(NamedKey::new(ROOT, root.public_key()), subject)
        .stores([runtime.store_id()])
        .scopes(scopes)
        .delegable(*depth)
        .effects_up_to(grant.effects())
        .budget(grant.budget())
        .window(Window { not_before_ms: now, expires_at_ms: now.saturating_add(HOUR_MS) })
        .sign(&root)
        .await
        .map_err(Failure::failed)
}

/// Says which arguments would have allowed what was refused.
fn hints(refusals: &[Refusal], contracts: &ContractSet, grant: &Grant) {
    // What a skill refuses no wider writ allows.
    let by_writ = refusals.iter().filter(|refusal| refusal.skill().is_none());
    let refused = |code: Code| by_writ.clone().filter(move |refusal| refusal.code == code);
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
    if refused(Code::NotDelegable).next().is_some() {
        arguments.push("--depth 1".into());
    }
    if refused(Code::BudgetExceeded).next().is_some() {
        arguments.push("a larger --budget".into());
    }
    let mut skills: Vec<_> = refusals.iter().filter_map(Refusal::skill).collect();
    skills.sort_unstable();
    skills.dedup();
    for skill in skills {
        eprintln!(
            "{} skill {skill} does not allow what was refused: `thymos skill show {skill}`",
            paint(HINT, "hint:")
        );
    }
    if !arguments.is_empty() {
        eprintln!("{} what was refused is allowed with {}", paint(HINT, "hint:"), arguments.join(" "));
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
