//! From a snapshot to the state that its entries would have led to.

use super::Replayer;
use crate::{
    canon::{Commitment, ProposalId},
    commit::Commit,
    ledger::{Entry, Kind},
    replay::{Fault, FaultKind, authority::check_signature, snapshot::Snapshot},
    world::World,
};

impl Replayer<'_> {
    /// Goes on as if all entries up to `last` had been pushed, of which only the first was: they come to what the snapshot
    /// says. `commit` is the last one among them; the world has to be the one that it left. An erasure that follows has to
    /// name the values that are `missing`.
    pub(in crate::replay) fn restore(
        &mut self,
        snapshot: Snapshot,
        world: World,
        missing: Vec<(Commitment, Fault)>,
        commit: Option<&Entry>,
        last: &Entry,
    ) -> Result<(), FaultKind> {
        self.base_seq = match commit {
            Some(entry) => {
                self.stands(entry)?;
                if entry.header.known_kind() != Some(Kind::Commit) {
                    return Err(FaultKind::Misplaced);
                }
                let recorded = entry.body::<Commit>()?.world_root;
                if world.root() != recorded {
                    return Err(FaultKind::Root { recorded, found: world.root() });
                }
                entry.header.seq
            }
            None if world.is_empty() => 0,
            None => return Err(FaultKind::Misplaced),
        };
        self.stands(last)?;
        if !snapshot.requests.hold() {
            return Err(FaultKind::Misplaced);
        }
        if (last.header.seq, last.id()) != (snapshot.seq, snapshot.entry) {
            return Err(FaultKind::Seq { expected: snapshot.seq });
        }
        (self.head, self.head_seq, self.as_of_ms) = (snapshot.entry, snapshot.seq, last.header.time_ms);
        self.next_seq = snapshot.seq.saturating_add(1);
        (self.world, self.missing) = (world, missing.into_iter().collect());
        snapshot.unknown_effects.into_iter().for_each(|effect| self.dispatches.dispatched(effect));
        (self.turn, self.turn_seq, self.unanswered) = (snapshot.open_turn, snapshot.turn_seq, snapshot.unanswered);
        (self.resumed, self.steps, self.ended) = (snapshot.resumed, snapshot.steps, snapshot.ended);
        (self.spent, self.requests, self.children) = (snapshot.spent, snapshot.requests, snapshot.children);
        self.skills = snapshot.skills;
        self.since = Some(snapshot.seq);
        Ok(())
    }

    /// The proposals that were dispatched, since the snapshot where there was one.
    pub(in crate::replay) fn dispatched(&self) -> impl Iterator<Item = &ProposalId> {
        self.dispatched.iter()
    }

    /// Checks an entry by itself: its parts, and that the runtime's key of its epoch signed it.
    fn stands(&mut self, entry: &Entry) -> Result<(), FaultKind> {
        let header = &entry.header;
        if header.store != self.log.store() {
            return Err(FaultKind::Store);
        }
        if header.trajectory != self.trajectory {
            return Err(FaultKind::Trajectory);
        }
        entry.check()?;
        check_signature(entry, self.cursor.advance(self.log, header.authority)?)
    }
}
