//! The checks of starts, proposals, outcomes and settlements against what the entries before them say.

use super::{Recorded, Replayer, Started, prepared::Signed};
use crate::{
    approval::Request,
    canon::{CanonError, Commitment, EntryId, KeyId, ProposalId},
    commit::{Commit, Origin},
    crypto::{Purpose, Role},
    delegation::ChildFault,
    intent::IntentRecord,
    ledger::{
        AuthorityState, Entry, EntryError, Kind,
        record::{ApprovalOutcome, Delegated, InDoubtResolution, Operator, Outcome, RunStart},
    },
    proposal::Proposal,
    replay::{
        FaultKind,
        origin::{check_balances, check_change, check_origin, check_proposal, check_staged},
        rederive::Scene,
        whole::Whole,
    },
    world::FoldOp,
    writ::{Amounts, Dimension, UnverifiedChain},
};

/// The id that a proposal has to have, where it resolved to a tool.
type Identity = Option<Result<ProposalId, CanonError>>;

/// Judges who signed an entry by the runtime's keys: the one that signs now, or nobody in a store that is run unsigned.
pub(super) fn check_signed(signer: KeyId, signed: &Signed, authority: &AuthorityState) -> Result<(), FaultKind> {
    match (authority.runtime_key(), signed) {
        (None, Signed::Not) => Ok(()),
        (Some(now), Signed::By(key, verified)) if now.key == *key => Ok(verified.clone()?),
        _ => Err(FaultKind::Signer(signer)),
    }
}

impl Replayer<'_> {
    /// Judges who signed an entry by the caller's pin.
    pub(super) fn check_pin(&self, signer: KeyId, signed: &Signed) -> Result<(), FaultKind> {
        match (&self.pins.signer, signed) {
            (None, _) => Ok(()),
            (Some(pin), Signed::By(key, verified)) if pin == key => Ok(verified.clone()?),
            (Some(pin), _) => Err(EntryError::Signer { found: signer, expected: pin.id() }.into()),
        }
    }

    pub(super) fn begin(&mut self, start: &RunStart) -> Result<(), FaultKind> {
        let chain = UnverifiedChain { chain: start.chain.clone() }.verify()?;
        let trajectory = start.start.trajectory().map_err(|_| FaultKind::Start)?;
        if trajectory != self.trajectory || start.start.store != self.log.store() || start.start.writ != chain.id() {
            return Err(FaultKind::Start);
        }
        let subject = &chain.leaf().subject.key;
        subject.verify(Purpose::Start, trajectory.as_bytes(), &start.signature).map_err(FaultKind::StartSignature)?;
        let issuer = chain.root().issuer.key;
        if !self.cursor.state().trust.has(&issuer, Role::WritIssuer) {
            return Err(FaultKind::Untrusted(issuer));
        }
        let opened = self.log.opened(&trajectory).ok_or(FaultKind::NotOpened)?;
        if opened.writ != chain.id() {
            return Err(FaultKind::NotOpened);
        }
        self.vouching.started(issuer);
        if let Some(rederiver) = &mut self.rederiver {
            rederiver.started(self.log, start);
        }
        self.start = Some(Started { chain, start: start.clone() });
        Ok(())
    }

    /// An operator's word counts where it is signed by a key that was trusted as approver.
    pub(super) fn check_operator(&self, resolution: &InDoubtResolution) -> Result<(), FaultKind> {
        let (Some(Operator { key, signature }), Some(statement)) = (&resolution.operator, resolution.statement())
        else {
            return Ok(());
        };
        if !self.cursor.state().trust.has(&key.key, Role::Approver) {
            return Err(FaultKind::NotApprover(key.key));
        }
        let hash = statement.hash().map_err(|_| FaultKind::Misplaced)?;
        key.key.verify(Purpose::Resolution, hash.as_bytes(), signature).map_err(FaultKind::Operator)
    }

    /// Something is on record of what became of an intent.
    pub(super) fn answered(&mut self, intent: &IntentRecord) {
        self.unanswered.retain(|unanswered| unanswered != intent);
    }

    /// The seq of the entry that holds the arguments of a call: this one, or the turn that asked for it.
    pub(super) fn args_seq(&self, whole: &Whole, entry: &Entry, args: &Commitment) -> u64 {
        if whole.has(entry, args) { entry.header.seq } else { self.turn_seq }
    }

    /// A request for approval ended.
    pub(super) fn end_request(&mut self, ended: &ApprovalOutcome, time_ms: u64) -> Result<(), FaultKind> {
        let authority = self.cursor.state();
        self.requests.check_end(ended, authority, time_ms)?;
        if self.withdrawn && ended.outcome != Outcome::Withdrawn {
            return Err(FaultKind::Misplaced);
        }
        self.withdrawn = ended.outcome == Outcome::Withdrawn;
        if let (Some(rederiver), Ok(request)) = (&mut self.rederiver, self.requests.get(&ended.pending))
            && ended.outcome != Outcome::Approved
        {
            rederiver.ended(request, ended.outcome == Outcome::Denied);
        }
        self.requests.ended(ended, authority, time_ms);
        Ok(())
    }

    /// Checks a proposal and its decision. Returns the request for approval that it waited on.
    pub(super) fn proposal(
        &mut self,
        proposal: &Proposal,
        identity: Identity,
        entry: &Entry,
    ) -> Result<Option<Request>, FaultKind> {
        self.answered(&proposal.intent);
        let Some(started) = &self.start else { return Err(FaultKind::Misplaced) };
        check_proposal(proposal, identity, started.chain.id(), self.log)?;
        self.children.check_count(proposal)?;
        let decision = &proposal.decision;
        let used = self.spent.plus(&self.held());
        let budgets = started.chain.links().map(|(_, writ)| writ.budget);
        check_balances(decision, budgets, &used)?;
        let time_ms = entry.header.time_ms;
        if decision.now_ms > time_ms {
            return Err(FaultKind::DecidedLater { decided_ms: decision.now_ms, time_ms });
        }
        if self.cursor.state().policy_set != Some(decision.policy_set) {
            return Err(FaultKind::NotInForce(decision.policy_set));
        }
        if let Some(required) = self.pins.compiler.filter(|required| *required != decision.compiler) {
            return Err(FaultKind::Compiler { found: decision.compiler, required });
        }
        if let Some(required) = self.pins.policy_set.filter(|required| *required != decision.policy_set) {
            return Err(FaultKind::PolicySet { found: decision.policy_set, required });
        }
        self.compilers.insert(decision.compiler);
        self.policy_sets.insert(decision.policy_set);
        if decision.rests_on_code() {
            self.asserted += 1;
        } else {
            self.derived += 1;
        }
        self.requests.check_decision(proposal, self.cursor.state())?;
        let request = self.requests.decided(&proposal.intent);
        self.rederive(proposal, entry, request.as_ref())?;
        Ok(request)
    }

    /// Derives a decision again, where that is asked for.
    fn rederive(&mut self, proposal: &Proposal, entry: &Entry, request: Option<&Request>) -> Result<(), FaultKind> {
        let (Some(rederiver), Some(started)) = (&mut self.rederiver, &self.start) else { return Ok(()) };
        let just_resumed = self.resumed == Some(entry.header.parent);
        let scene = Scene {
            log: self.log,
            authority: self.cursor.state(),
            trajectory: self.trajectory,
            chain: &started.chain,
            world: &self.world,
            request,
            latest_ms: self.latest_ms,
            before_resumption: just_resumed && entry.header.known_kind() == Some(Kind::Failure),
        };
        rederiver.decided(proposal, entry, &scene)
    }

    pub(super) fn outcome(
        &mut self,
        origin: &Origin,
        identity: Identity,
        in_doubt: bool,
        entry: &Entry,
    ) -> Result<(), FaultKind> {
        check_origin(origin, self.log)?;
        match origin {
            Origin::Dispatch(dispatch) => self.dispatches.concluded(*dispatch, in_doubt),
            Origin::Proposal(proposal) => self.proposal(proposal, identity, entry).map(drop),
        }
    }

    pub(super) fn delegation(
        &mut self,
        delegated: &Delegated,
        identity: Identity,
        entry: &Entry,
        id: EntryId,
    ) -> Result<(), FaultKind> {
        let Origin::Proposal(proposal) = &delegated.origin else { return Err(ChildFault::Proposal.into()) };
        check_staged(proposal)?;
        self.proposal(proposal, identity, entry)?;
        self.children.delegated((self.log.store(), self.trajectory), (id, entry.header.seq), delegated)?;
        let quote = proposal.decision.quote.as_ref();
        self.spent = self.spent.plus(&quote.map_or(Amounts::ZERO, |quote| quote.cost));
        Ok(())
    }

    /// What is held for turns and dispatches without an outcome.
    pub(super) fn held(&self) -> Amounts {
        self.turn.map_or(Amounts::ZERO, |(_, held)| held).plus(&self.dispatches.held())
    }

    /// What was quoted is a hard cap, but for the time that the call took.
    pub(super) fn check_cost(&self, commit: &Commit) -> Result<(), FaultKind> {
        let quoted = match &commit.origin {
            Origin::Dispatch(dispatch) => self.dispatches.held_for(dispatch),
            Origin::Proposal(proposal) => proposal.decision.quote.as_ref().map(|quote| quote.cost),
        };
        if commit.cost.tool_calls == 0 {
            return Err(FaultKind::Cost(Dimension::ToolCalls));
        }
        let cap = quoted.map(|quoted| Amounts { wall_clock_ms: Amounts::MAX.wall_clock_ms, ..quoted });
        match cap.and_then(|cap| commit.cost.exceeds(&cap)) {
            Some(dimension) => Err(FaultKind::Cost(dimension)),
            None => Ok(()),
        }
    }

    pub(super) fn commit(
        &mut self,
        commit: &Commit,
        identity: Identity,
        folds: Vec<FoldOp>,
        entry: &Entry,
        id: EntryId,
    ) -> Result<(), FaultKind> {
        self.check_cost(commit)?;
        self.outcome(&commit.origin, identity, false, entry)?;
        check_change(commit, self.log)?;
        self.world.fold(entry.header.seq, folds)?;
        let recorded = Recorded { seq: entry.header.seq, id, root: commit.world_root };
        if self.pins.options.every_root {
            self.check_root(&recorded)?;
        }
        self.last_root = Some(recorded);
        self.base_seq = entry.header.seq;
        self.commits += 1;
        self.spent = self.spent.plus(&commit.cost);
        Ok(())
    }

    /// Compares the world as it stands with what a commit says of it.
    pub(super) fn check_root(&self, recorded: &Recorded) -> Result<(), FaultKind> {
        let found = self.world.root();
        if found == recorded.root { Ok(()) } else { Err(FaultKind::Root { recorded: recorded.root, found }) }
    }
}
