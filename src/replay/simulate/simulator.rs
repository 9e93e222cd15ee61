use std::{collections::HashMap, sync::Arc};

use super::{
    Changed, Found, Place, Simulated,
    change::Premise,
    decide::{Terms, Verdict, decide},
    radius::Radius,
};
use crate::{
    canon::{CanonError, EntryId, TrajectoryId},
    compile::Inputs,
    proposal::{Decision, Proposal, Status},
    replay::{Gap, record::Record},
};

/// Decides the proposals of one run once more with a change, as its entries go by.
#[derive(Debug)]
pub(in crate::replay) struct Simulator {
    premise: Arc<Premise>,
    run: TrajectoryId,
    radius: Radius,
    /// The terms of what waits, by its requests.
    waiting: HashMap<EntryId, Result<Terms, Gap>>,
    /// What the entry at hand came to.
    pub(super) decided: Option<Tally>,
    refused: bool,
    pub(super) found: Vec<Found>,
}

/// What one decision counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tally {
    /// It has a verdict; whether that rests on a verdict of Rust code, and whether it is the recorded one.
    Decided { asserted: bool, unchanged: bool },
    /// It has none.
    Undecided(Gap),
}

impl Simulator {
    pub(in crate::replay) fn new(
        premise: Arc<Premise>,
        run: TrajectoryId,
        child_of: Option<(TrajectoryId, u64)>,
    ) -> Self {
        let radius = Radius::new(run, child_of);
        Self { premise, run, radius, waiting: HashMap::new(), decided: None, refused: false, found: Vec::new() }
    }

    /// Decides once more. `request` is what the intent waited on.
    pub(in crate::replay) fn decide(
        &self,
        inputs: &Inputs<'_>,
        recorded: &Decision,
        request: Option<EntryId>,
    ) -> Result<Result<Verdict, Gap>, CanonError> {
        match request.and_then(|request| self.waiting.get(&request)).cloned().transpose() {
            Ok(terms) => decide(&self.premise, inputs, recorded, terms),
            Err(gap) => Ok(Err(gap)),
        }
    }

    /// A decision was recorded, and would be `verdict`.
    pub(in crate::replay) fn decided(
        &mut self,
        proposal: &Proposal,
        (id, seq): (EntryId, u64),
        request: Option<EntryId>,
        verdict: Result<Verdict, Gap>,
    ) {
        if let Some(request) = request {
            self.waiting.remove(&request);
        }
        let recorded = &proposal.decision.status;
        if matches!(recorded, Status::Suspended { .. }) {
            let terms = verdict.as_ref().map(|verdict| verdict.terms.clone());
            self.waiting.insert(id, terms.map_err(|gap| *gap));
        }
        let at = Place { run: self.run, seq, tool: proposal.intent.target.clone() };
        let tally = match verdict {
            Err(gap) => {
                self.found.push(Found::Undecided { at, gap });
                Tally::Undecided(gap)
            }
            Ok(Verdict { now, asserted, rules, .. }) => {
                let unchanged = now.is_as(recorded);
                self.refused = now != Simulated::Decided(Status::Staged);
                if !unchanged {
                    let changed = Changed { at, recorded: recorded.clone(), now, rules };
                    self.found.push(Found::Changed(Box::new(changed)));
                }
                Tally::Decided { asserted, unchanged }
            }
        };
        self.decided = Some(tally);
    }

    /// A request was denied, or came to nothing.
    pub(in crate::replay) fn ended(&mut self, request: &EntryId) {
        self.waiting.remove(request);
    }

    /// An entry is about to be checked.
    pub(in crate::replay) fn begin(&mut self) {
        self.found.clear();
        (self.decided, self.refused) = (None, false);
    }

    /// It was checked.
    pub(in crate::replay) fn passed(&mut self, id: EntryId, seq: u64, record: &Record) {
        self.found.extend(self.radius.follow(id, seq, record, self.refused));
    }
}
