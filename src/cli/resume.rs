use futures::executor::block_on;

use super::{
    failure::{Done, Failure},
    home::Home,
    locate,
    session::{How, Prepared},
};
use crate::{
    canon::{PolicySetHash, TrajectoryId},
    commit::{Commit, Origin},
    ledger::{
        Kind, LedgerStore,
        record::{BranchStart, Dispatch, Resumed, RunStart},
    },
    runtime::StartError,
};

const PAGE: u64 = 256;

/// Take a run up again where it was left, and go on
///
/// After a crash, a full disk or an interruption. What is on record is verified first, that of a long run from its last
/// snapshot on. The turn that was under way is
/// debited, what has no outcome is recorded as abandoned, and tools are asked about effects in doubt; for what they do not
/// know see `thymos resolve`. What is approved is decided once more, and carried out where nothing has changed since; while something
/// waits for approval nothing else is begun. It goes on under the policies that it was under: give the same --policy.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos resume last
  thymos resume 4f21 --script rest.json --json")]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or `last`
    run: String,
    /// Go on under the policies of this command, whatever the run was under
    #[arg(long)]
    change_policy: bool,
    /// Verify the run from its first entry on, whatever its last snapshot says
    #[arg(long)]
    from_start: bool,
    #[command(flatten)]
    how: How,
}

pub(super) fn run(args: &Args) -> Done {
    let home = Home::locate()?;
    home.check()?;
    let prepared = Prepared::new(&args.how, &home)?;
    // That the run is there is found without making a ledger for it.
    let ledger = args.how.place.open_existing()?;
    let run = block_on(locate::find(&ledger, &args.run))?;
    let before = block_on(policy_set(&ledger, &run))?;
    drop(ledger);
    let now = prepared.policies.hash();
    if let Some(before) = before.filter(|before| *before != now && !args.change_policy) {
        let message = format!("run {} is under policy set {before}, and this command gives {now}", run.short());
        let hint = "give the same --policy as before, or --change-policy to go on under what this command gives";
        return Err(Failure::usage(message).hint(hint));
    }
    let mut session =
        prepared.open(&args.how, &home, |builder| if args.from_start { builder.snapshot_every(0) } else { builder })?;
    block_on(async {
        let taken = session.runtime.resume(&run).await.map_err(|error| match error {
            error @ StartError::Ended(_) => {
                Failure::failed(error).hint(format_args!("`thymos audit {}` tells how", run.short()))
            }
            error => Failure::failed(error),
        })?;
        let chain = taken.writ().await;
        session.drive(&taken, &chain, &args.how).await?.done()
    })
}

/// The policy set that a run was last under; none when it has ended.
async fn policy_set(store: &dyn LedgerStore, run: &TrajectoryId) -> Done<Option<PolicySetHash>> {
    let mut end = store.head(run).await?.map_or(0, |head| head.seq + 1);
    while end > 0 {
        let from = end.saturating_sub(PAGE);
        let page = store.read(run, from, usize::try_from(end - from).unwrap_or(usize::MAX)).await?;
        for entry in page.iter().rev() {
            let found = match entry.header.known_kind() {
                Some(Kind::Terminated) => return Ok(None),
                Some(Kind::Resumed) => entry.body::<Resumed>().map(|resumed| resumed.policy_set),
                Some(Kind::Dispatch) => entry.body::<Dispatch>().map(|dispatch| dispatch.proposal.decision.policy_set),
                Some(Kind::Commit) => match entry.body::<Commit>().map(|commit| commit.origin) {
                    Ok(Origin::Proposal(proposal)) => Ok(proposal.decision.policy_set),
                    Ok(Origin::Dispatch(_)) => continue,
                    Err(error) => Err(error),
                },
                Some(Kind::Root) => entry.body::<RunStart>().map(|start| start.policy_set),
                Some(Kind::Branch) => entry.body::<BranchStart>().map(|start| start.run.policy_set),
                _ => continue,
            };
            return found.map(Some).map_err(Failure::failed);
        }
        end = from;
    }
    Err(Failure::failed(format!("run {} has no entry that starts it", run.short())))
}
