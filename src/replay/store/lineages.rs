use std::collections::{BTreeMap, HashMap, HashSet};

use super::runs::Replayed;
use crate::{
    canon::TrajectoryId,
    ledger::{Entry, record::Link},
    replay::{LineageFault, record::Record},
};

/// Which run is below which, followed through the log of the whole store.
#[derive(Default)]
pub(super) struct Lineages {
    /// The run at the top of each run's lineage, and how many generations that is above.
    places: HashMap<TrajectoryId, (TrajectoryId, u32)>,
    /// The runs that others started.
    delegated: HashSet<TrajectoryId>,
    /// How many runs there are below each run at the top.
    descendants: BTreeMap<TrajectoryId, u64>,
    /// The child whose first entry has to be the next one.
    awaited: Option<TrajectoryId>,
}

impl Lineages {
    /// Checks that parents and children say the same of each other.
    pub(super) fn of(runs: &HashMap<TrajectoryId, Replayed>) -> Result<Self, (TrajectoryId, LineageFault)> {
        let mut lineages = Self::default();
        for (run, replayed) in runs {
            let member = &replayed.member;
            let checked = member.check(*run, |run| Some(&runs.get(run)?.member));
            checked.map_err(|fault| (*run, fault))?;
            if let Some(Link::Delegation { trajectory, .. }) = &member.start.from {
                let parent = runs.get(trajectory);
                if !parent.is_some_and(|parent| parent.member.children.iter().any(|child| child.run == *run)) {
                    return Err((*run, LineageFault::NotStarted(*trajectory)));
                }
                lineages.delegated.insert(*run);
            }
            lineages.places.insert(*run, place(*run, runs));
        }
        Ok(lineages)
    }

    /// The next entry of the log: what a delegation in it rests on has to be so by then.
    pub(super) fn push(&mut self, entry: &Entry, record: Option<&Record>) -> Result<(), LineageFault> {
        let (run, first) = (entry.header.trajectory, entry.header.seq == 0);
        match self.awaited.take() {
            Some(child) if child != run || !first => return Err(LineageFault::Apart(child)),
            None if first && self.delegated.contains(&run) => {
                return Err(LineageFault::Apart(run));
            }
            _ => {}
        }
        let Some(Record::Delegation(delegated)) = record else { return Ok(()) };
        let (top, generation) = self.places.get(&run).copied().unwrap_or((run, 0));
        let descendants = self.descendants.entry(top).or_default();
        let proposal = record.and_then(Record::proposal);
        if let Some(quoted) = proposal.and_then(|proposal| proposal.decision.quote.as_ref()?.child.as_deref()) {
            let counted = [
                ("generations", u64::from(quoted.generation), u64::from(generation) + 1),
                ("descendants", quoted.descendants, *descendants),
            ];
            if let Some((what, said, found)) = counted.into_iter().find(|(_, said, found)| said != found) {
                return Err(LineageFault::Count { what, said, found });
            }
        }
        *descendants += 1;
        self.awaited = Some(delegated.child);
        Ok(())
    }

    /// How many runs there are below each run at the top of a lineage.
    pub(super) fn descendants(&self) -> impl Iterator<Item = (&TrajectoryId, u64)> {
        self.descendants.iter().map(|(top, count)| (top, *count))
    }
}

/// The run at the top, and how many generations it is above. No cycles: a run's id covers that of its parent.
fn place(run: TrajectoryId, runs: &HashMap<TrajectoryId, Replayed>) -> (TrajectoryId, u32) {
    let (mut top, mut generation) = (run, 0);
    while let Some(from) = runs.get(&top).and_then(|replayed| replayed.member.start.from.as_ref()) {
        (top, generation) = match from {
            Link::Delegation { trajectory, .. } => (*trajectory, generation + 1),
            Link::Branch(point) => (point.trajectory, generation),
        };
    }
    (top, generation)
}
