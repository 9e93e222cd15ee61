use std::collections::HashMap;

use super::{Contracts, Folded, Pins, ReplayError, Report, Verdict, authority_of, run::run_under};
use crate::{
    canon::TrajectoryId,
    delegation::{Child, Returned},
    ledger::{
        Entry, Kind, LedgerStore,
        record::{BranchStart, Link, RunStart, StartStatement},
    },
    writ::WritChain,
};

/// What does not hold between the runs of a lineage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineageFault {
    /// A run says that it was delegated, and nobody did.
    #[error("it says that run {} started it, which does not", .0.short())]
    NotStarted(TrajectoryId),
    /// A child is not there, or is not the one that was asked for.
    #[error("it started run {}, which is not there or starts otherwise", .0.short())]
    Child(TrajectoryId),
    /// A child did not end as its parent has it on record.
    #[error("what it says of the end of run {} is not how that ended", .0.short())]
    End(TrajectoryId),
    /// A delegation and the child's first entry were not stored together.
    #[error("the first entry of run {} does not follow the entry that started it", .0.short())]
    Apart(TrajectoryId),
    /// A decision rests on another number of runs.
    #[error("it was decided with {said} {what}, and there were {found}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// What the decision says.
        said: u64,
        /// How many there were.
        found: u64,
    },
}

/// What a replay showed of a run, as far as its parent and its children are concerned.
pub(super) struct Member {
    pub(super) chain: WritChain,
    pub(super) children: Vec<Child>,
    /// How it ended.
    returned: Option<Returned>,
    pub(super) start: StartStatement,
}

impl Member {
    pub(super) fn of(folded: Folded) -> Self {
        let Folded { chain, children, returned, start, .. } = folded;
        Self { chain, children: children.all().to_vec(), returned, start: start.start }
    }

    /// Checks that each child is there, was started so, and ended as it is on record here.
    pub(super) fn check<'a>(
        &self,
        run: TrajectoryId,
        find: impl Fn(&TrajectoryId) -> Option<&'a Self>,
    ) -> Result<(), LineageFault> {
        for child in &self.children {
            let there = find(&child.run).filter(|there| self.started(run, child, there));
            let there = there.ok_or(LineageFault::Child(child.run))?;
            if child.returned.is_some() && child.returned != there.returned {
                return Err(LineageFault::End(child.run));
            }
        }
        Ok(())
    }

    fn started(&self, run: TrajectoryId, child: &Child, there: &Self) -> bool {
        let from = Some(Link::Delegation { intent: child.intent, trajectory: run });
        let above = there.chain.links().rev().skip(1).map(|(id, _)| id);
        there.start.from == from
            && there.start.task == child.task
            && there.chain.id() == child.writ
            && there.chain.leaf().budget == child.granted
            && above.eq(self.chain.links().rev().map(|(id, _)| id))
    }
}

/// A run and all that came of it, each replayed, and what they say of each other compared.
#[derive(Debug, Clone)]
pub struct Lineage {
    /// The runs, each before its children, and those in the order in which they were started.
    pub runs: Vec<Descendant>,
}

/// A run of a lineage.
#[derive(Debug, Clone)]
pub struct Descendant {
    /// How many generations it is below the first one.
    pub generation: usize,
    /// The run that started it; none of the first one here.
    pub parent: Option<TrajectoryId>,
    /// What its replay found.
    pub report: Report,
    /// What it was to do; none where that is erased.
    pub task: Option<String>,
}

impl Lineage {
    /// Verified when every run is.
    pub fn verdict(&self) -> Verdict {
        let whole = self.runs.iter().all(|run| run.report.verdict() == Verdict::Verified);
        if whole { Verdict::Verified } else { Verdict::Incomplete }
    }
}

/// Replays a run and every run below it, and checks that parents and children say the same of each other.
///
/// # Errors
/// The first fault of a run, or between two; a pin that does not hold, of whichever run; the store's failure.
pub async fn lineage(
    store: &dyn LedgerStore,
    run: &TrajectoryId,
    pins: impl Fn(&TrajectoryId) -> Pins,
) -> Result<Lineage, ReplayError> {
    let (mut runs, mut members) = (Vec::new(), HashMap::new());
    let mut open = vec![(*run, None, 0)];
    while let Some((run, parent, generation)) = open.pop() {
        let log = authority_of(store, Some(&run), Contracts::All).await?;
        let mut task = None;
        let visit = |entry: &Entry, _: &super::Replayer<'_>| {
            if entry.header.seq == 0 {
                task = task_of(entry);
            }
        };
        let replayed = run_under(&log, store, &run, pins(&run), visit).await;
        let (report, folded) = replayed.map_err(|error| match error {
            error @ (ReplayError::NoRun(_) | ReplayError::Store(_)) => error,
            error => ReplayError::Run { run, source: Box::new(error) },
        })?;
        let member = Member::of(folded);
        // The last is taken first: the first child comes next.
        open.extend(member.children.iter().rev().map(|child| (child.run, Some(run), generation + 1)));
        members.insert(run, member);
        runs.push(Descendant { generation, parent, report, task });
    }
    for (run, member) in &members {
        member.check(*run, |run| members.get(run)).map_err(|fault| ReplayError::Lineage { run: *run, fault })?;
    }
    Ok(Lineage { runs })
}

/// The task in the first entry of a run or a branch; none where it is erased.
pub fn task_of(root: &Entry) -> Option<String> {
    let start = match root.header.known_kind() {
        Some(Kind::Branch) => root.body::<BranchStart>().ok()?.run.start,
        _ => root.body::<RunStart>().ok()?.start,
    };
    root.blob(&start.task)?.value().ok()?.as_str().map(str::to_owned)
}
