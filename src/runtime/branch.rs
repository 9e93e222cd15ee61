//! Starting a run on the world that another one had.

use std::sync::Arc;

use super::{
    Run,
    core::Core,
    error::StartError,
    start::{self, Fork},
};
use crate::{
    canon::TrajectoryId,
    host::Signer,
    ledger::record::BranchPoint,
    replay::{self, Pins, Verdict},
    writ::PresentedChain,
};

pub(super) async fn branch(
    core: &Arc<Core>,
    (run, seq): (&TrajectoryId, u64),
    task: Option<&str>,
    chain: PresentedChain,
    subject: &dyn Signer,
) -> Result<Run, StartError> {
    let (mut fork, mut found) = (None, None);
    let visit = |entry: &crate::ledger::Entry, replayer: &replay::Replayer<'_>| {
        if entry.header.seq == 0 {
            found = replay::task_of(entry);
        }
        if entry.header.seq == seq {
            let point = BranchPoint { entry: entry.id(), seq, trajectory: *run };
            fork = Some(Fork { point, world: replayer.world().clone() });
        }
    };
    let (report, _) = replay::run(&*core.store, run, Pins::default(), visit).await?;
    if report.verdict() != Verdict::Verified {
        return Err(StartError::Incomplete { run: *run, reason: report.incomplete.join("; ") });
    }
    let fork = fork.ok_or(StartError::NoEntry { run: *run, seq, last: report.head_seq })?;
    let task = task.map(str::to_owned).or(found).unwrap_or_default();
    start::start(core, &task, chain, subject, vec![], Some(fork)).await
}
