use std::path::PathBuf;

use anstream::eprintln;
use futures::executor::block_on;

use super::{
    bindings::Skills,
    failure::{Done, Failure},
    grant::Grant,
    home::{AGENT, Home, ROOT},
    session::{How, Prepared},
    style::{HINT, paint},
    time::now_ms,
    writ,
};
use crate::{
    contract::{ContractSet, DELEGATE},
    crypto::{NamedKey, SecretKey},
    proposal::{Code, Refusal},
    runtime::{Runtime, StartError},
    writ::{Scope, ToolPattern, Window, WritBuilder, WritChain},
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
        let chain = match presented {
            Some(chain) => chain,
            None => {
                let named = NamedKey::new(subject_name, subject.public_key());
                issue(args, &session.runtime, &home, named).await?
            }
        };
        let run = session.runtime.start_with(&args.task, &chain, &subject, skills).await.map_err(refused)?;
        let driven = session.drive(&run, &chain, &args.how).await?;
        if !args.how.json && args.writ.is_none() {
            hints(&driven.refusals, &contracts, &args.grant);
        }
        driven.done()
    })
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
