use std::collections::HashMap;

use super::{Affected, Because, Found, Place};
use crate::{
    canon::{EntryId, TrajectoryId},
    commit::{Commit, DeltaOp, Origin},
    contract::ToolName,
    ledger::record::Delegated,
    proposal::Proposal,
    replay::record::Record,
    world::ResourceId,
};

/// The blast radius within one run: what rests on commits that would not be there.
///
/// A read is recorded at the version that the world has then, so what read a resource rests on whoever wrote it last. A change
/// names the version that it found, and rests on that as well.
#[derive(Debug)]
pub(super) struct Radius {
    run: TrajectoryId,
    /// The entry that started the run, where that is in the radius.
    child_of: Option<(TrajectoryId, u64)>,
    /// The resources that commits in the radius wrote last, with their seqs.
    written: HashMap<ResourceId, u64>,
    /// What was dispatched and has no outcome.
    dispatched: HashMap<EntryId, (ToolName, Vec<Because>)>,
}

impl Radius {
    pub(super) fn new(run: TrajectoryId, child_of: Option<(TrajectoryId, u64)>) -> Self {
        Self { run, child_of, written: HashMap::new(), dispatched: HashMap::new() }
    }

    /// Follows the next entry; `refused` says that what it decides would not be carried out. Returns what of it is in the radius.
    pub(super) fn follow(&mut self, id: EntryId, seq: u64, record: &Record, refused: bool) -> Option<Found> {
        match record {
            Record::Dispatch(dispatch) => {
                let because = self.because(&dispatch.proposal, refused);
                self.dispatched.insert(id, (dispatch.proposal.intent.target.clone(), because));
                None
            }
            Record::Commit(commit) => self.commit(commit, seq, refused).map(Found::Commit),
            Record::Failure(failure) => {
                self.concluded(&failure.origin);
                None
            }
            Record::InDoubtResolution(resolution) => {
                self.dispatched.remove(&resolution.dispatch);
                None
            }
            Record::Delegation(delegated) => {
                let Delegated { child, origin, .. } = &**delegated;
                let (tool, because) = match origin {
                    Origin::Proposal(proposal) => (proposal.intent.target.clone(), self.because(proposal, refused)),
                    Origin::Dispatch(dispatch) => self.dispatched.get(dispatch)?.clone(),
                };
                Some(Found::Run { run: *child, by: self.affected(tool, seq, because)? })
            }
            _ => None,
        }
    }

    fn commit(&mut self, commit: &Commit, seq: u64, refused: bool) -> Option<Affected> {
        let (tool, mut because) = match &commit.origin {
            Origin::Proposal(proposal) => (proposal.intent.target.clone(), self.because(proposal, refused)),
            Origin::Dispatch(_) => self.concluded(&commit.origin)?,
        };
        let changed = || commit.delta.iter().map(DeltaOp::resource);
        for resource in changed() {
            let Some(from) = self.written.get(resource).copied() else { continue };
            let read = Because::Read { resource: resource.clone(), from };
            let change = Because::Changed { resource: resource.clone(), from };
            if !because.contains(&read) && !because.contains(&change) {
                because.push(change);
            }
        }
        let affected = self.affected(tool, seq, because)?;
        self.written.extend(changed().map(|resource| (resource.clone(), seq)));
        Some(affected)
    }

    /// A dispatch has its outcome. Returns what is known of it.
    fn concluded(&mut self, origin: &Origin) -> Option<(ToolName, Vec<Because>)> {
        match origin {
            Origin::Dispatch(dispatch) => self.dispatched.remove(dispatch),
            Origin::Proposal(_) => None,
        }
    }

    /// Why a call is in the radius.
    fn because(&self, proposal: &Proposal, refused: bool) -> Vec<Because> {
        let refused = refused.then_some(Because::Refused);
        let child = self.child_of.map(|(of, seq)| Because::Child { of, seq });
        let read = proposal.decision.quote.iter().flat_map(|quote| &quote.reads).filter_map(|read| {
            let from = *self.written.get(&read.resource)?;
            Some(Because::Read { resource: read.resource.clone(), from })
        });
        refused.into_iter().chain(child).chain(read).collect()
    }

    fn affected(&self, tool: ToolName, seq: u64, because: Vec<Because>) -> Option<Affected> {
        (!because.is_empty()).then_some(Affected { at: Place { run: self.run, seq, tool }, because })
    }
}
