//! What is left to check at the end, and what the entries amount to.

use super::{Recorded, Replayer, Started};
use crate::{
    approval::Requests,
    canon::EntryId,
    delegation::{Children, Returned},
    intent::IntentRecord,
    ledger::{
        Kind,
        record::{EndReason, RunStart},
    },
    replay::{Effects, Fault, FaultKind, Presented, Rederived, ReplayError, Report, UnknownEffect},
    world::World,
    writ::{Amounts, BoundSkill, WritChain},
};

/// What a trajectory's entries amount to: enough to go on with it.
pub struct Folded {
    /// The writ chain.
    pub chain: WritChain,
    /// How the run started.
    pub start: RunStart,
    /// The world.
    pub world: World,
    /// The seq of the last commit; 0 when there is none.
    pub base_seq: u64,
    /// The last entry.
    pub head: EntryId,
    /// Its seq.
    pub head_seq: u64,
    /// What the run spent.
    pub spent: Amounts,
    /// Effects of which it is not known whether they happened, in the order of their dispatches.
    pub unknown_effects: Vec<UnknownEffect>,
    /// The requests for approval that wait, and what was denied.
    pub requests: Requests,
    /// The runs that it started.
    pub children: Children,
    /// How the run ended, as its last entries say; `None` when that was before a snapshot, or it has not.
    pub returned: Option<Returned>,
    /// Intents of the last turn of which nothing is on record.
    pub unanswered: Vec<IntentRecord>,
    /// The skills that the run is bound to, in the order in which it was.
    pub skills: Vec<BoundSkill>,
    /// Why the run ended; `None` when it has not.
    pub ended: Option<EndReason>,
    /// What is held for dispatches and turns without an outcome, but for steps of an undo.
    pub held: Amounts,
    /// The writs that were presented to undo what the run did.
    pub presented: Vec<Presented>,
    /// What was not undone; [all of it](crate::replay::Options::effects) where that was asked for.
    pub effects: Effects,
    /// The turn without an outcome, and what is held for it.
    pub open_turn: Option<(EntryId, Amounts)>,
    /// How many turns were begun.
    pub steps: u64,
    /// The seq of the last turn; 0 when there is none.
    pub turn_seq: u64,
    /// The entry that took the run up last; `None` when none did.
    pub resumed: Option<EntryId>,
}

impl Recorded {
    fn fault(&self, reason: FaultKind) -> Fault {
        Fault { seq: self.seq, kind: Kind::Commit.to_string(), id: self.id, reason }
    }
}

impl Replayer<'_> {
    /// Ends the replay.
    ///
    /// # Errors
    /// When the world is not the one whose root the last commit records, there was no entry, a value is missing that nobody
    /// erased, or a pin does not hold.
    pub fn finish(mut self) -> Result<(Report, Folded), ReplayError> {
        self.incomplete.extend(self.vouching.doubts(self.log, &self.invalid));
        let (held, batched) = (self.held(), self.batched().is_some());
        let rederived = self.rederiver.take().map(|rederiver| rederiver.rederived);
        self.incomplete.extend(rederived.iter().flat_map(Rederived::incomplete));
        if let Some(recorded) = &self.last_root {
            self.check_root(recorded).map_err(|reason| recorded.fault(reason))?;
        }
        let Some(Started { chain, start }) = self.start else { return Err(ReplayError::NoRun(self.trajectory)) };
        if let Some(fault) = self.missing.into_values().min_by_key(|fault| fault.seq) {
            return Err(fault.into());
        }
        let world_root = self.world.root();
        let pin = |what, found: String, required: String| {
            if found == required { Ok(()) } else { Err(ReplayError::Pin { what, found, required }) }
        };
        if let Some(required) = self.pins.world_root {
            pin("the world's root", world_root.to_string(), required.to_string())?;
        }
        if let Some(required) = self.pins.store {
            pin("the store", self.log.store().to_string(), required.to_string())?;
        }
        if let Some(required) = self.pins.contains.filter(|_| !self.pinned_entry_seen) {
            pin("an entry of the run", "not there".into(), required.to_string())?;
        }
        let report = Report {
            store: self.log.store(),
            trajectory: self.trajectory,
            writ: chain.id(),
            entries: self.next_seq - self.since.map_or(0, |seq| seq.saturating_add(1)),
            since: self.since,
            commits: self.commits,
            derived: self.derived,
            asserted: self.asserted,
            rederived,
            head: self.head,
            head_seq: self.head_seq,
            as_of_ms: self.as_of_ms,
            world_root,
            signers: self.signers,
            signer_pinned: self.pins.signer.is_some(),
            batched,
            compilers: self.compilers,
            policy_sets: self.policy_sets,
            in_doubt: self.dispatches.ids(),
            erased: self.erased,
            spent: self.spent,
            ended: self.ended,
            incomplete: self.incomplete,
        };
        let folded = Folded {
            chain,
            start,
            world: self.world,
            base_seq: self.base_seq,
            head: self.head,
            head_seq: self.head_seq,
            spent: self.spent,
            unknown_effects: self.dispatches.unknown(),
            requests: self.requests,
            children: self.children,
            returned: self.returned,
            unanswered: self.unanswered,
            skills: self.skills,
            ended: self.ended,
            held,
            presented: self.undoing.presented,
            effects: self.undoing.effects,
            open_turn: self.turn,
            steps: self.steps,
            turn_seq: self.turn_seq,
            resumed: self.resumed,
        };
        Ok((report, folded))
    }
}
