//! The checks of starts, proposals, outcomes and settlements against what the entries before them say.

use std::sync::Arc;

use super::{Recorded, Replayer, Started, prepared::Signed};
use crate::{
    approval::Request,
    canon::{CanonError, Commitment, EntryId, KeyId, ProposalId, WritId},
    commit::{Commit, Origin},
    crypto::{Purpose, Role},
    delegation::ChildFault,
    intent::IntentRecord,
    ledger::{
        AuthorityState, Entry, EntryError, Kind,
        record::{
            ApprovalOutcome, BranchStart, Compensation, Delegated, Failure, HappenedVerdict, InDoubtResolution, Link,
            Operator, Outcome, RunStart, SkillBound, WhatHappened,
        },
    },
    proposal::Proposal,
    replay::{
        FaultKind, Presented, UndoFault,
        origin::{check_balances, check_change, check_origin, check_proposal, check_skills, check_staged},
        rederive::Scene,
        undo::has_effect,
        whole::Whole,
    },
    world::FoldOp,
    writ::{Amounts, BoundSkill, Dimension, Narrowing, UnverifiedChain, narrow},
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
        self.vouching.stands_on(issuer, 0);
        if let Some(rederiver) = &mut self.rederiver {
            rederiver.started(self.log, start);
        }
        self.start = Some(Started { chain, start: start.clone() });
        Ok(())
    }

    /// The run begins as a branch, on the world of its parent.
    pub(super) fn branch_off(&mut self, branch: &BranchStart) -> Result<(), FaultKind> {
        if !matches!(branch.run.start.from, Some(Link::Branch(_))) {
            return Err(FaultKind::Misplaced);
        }
        self.begin(&branch.run)?;
        match self.ground.take() {
            Some(world) if world.root() == branch.world_root => self.world = world,
            Some(world) => return Err(FaultKind::Root { recorded: branch.world_root, found: world.root() }),
            None => {
                self.afloat = true;
                self.incomplete.push("the run is a branch, and its parent's entries are not at hand".into());
                if let Some(rederiver) = &mut self.rederiver {
                    rederiver.afloat();
                }
            }
        }
        Ok(())
    }

    /// The run was bound to a skill.
    pub(super) fn bind(&mut self, bound: &SkillBound, seq: u64) -> Result<(), FaultKind> {
        if bound.definition.hash() != Ok(bound.hash) {
            return Err(FaultKind::Skill(bound.hash));
        }
        let SkillBound { definition, parameters, .. } = bound;
        let (skill, spent_before) = (Arc::clone(definition), self.spent.plus(&self.children.granted()));
        self.skills.push(BoundSkill { parameters: *parameters, seq, skill, spent_before });
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
        let own = (&started.chain, self.spent.plus(&self.held()));
        let (chain, used) = match self.undoing.of(&proposal.writ) {
            Some(Presented { chain, spent, held }) => {
                let in_doubt = self.dispatches.unknown().last().map(|effect| effect.seq);
                self.undoing.check_call(&proposal.intent, proposal.writ, in_doubt)?;
                (chain, spent.plus(held))
            }
            None if self.ended.is_some() => return Err(FaultKind::AfterEnd),
            None => own,
        };
        check_proposal(proposal, identity, chain.id(), self.log)?;
        self.children.check_count(proposal)?;
        let decision = &proposal.decision;
        let budgets = chain.links().map(|(_, writ)| writ.budget);
        check_balances(decision, budgets, &used)?;
        // What undoes the run stands under a writ of its own, and not on the run's skills.
        let own = self.undoing.of(&proposal.writ).is_none() && !self.skills.is_empty();
        let skills = if own { narrow(&self.skills, &used.plus(&self.children.granted())) } else { Vec::new() };
        check_skills(proposal, &skills, self.log)?;
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
        self.rederive(proposal, entry, request.as_ref(), &skills)?;
        Ok(request)
    }

    /// Derives a decision again, where that is asked for.
    fn rederive(
        &mut self,
        proposal: &Proposal,
        entry: &Entry,
        request: Option<&Request>,
        skills: &[Narrowing],
    ) -> Result<(), FaultKind> {
        let (Some(rederiver), Some(started)) = (&mut self.rederiver, &self.start) else { return Ok(()) };
        let just_resumed = self.resumed == Some(entry.header.parent);
        let presented = self.undoing.of(&proposal.writ);
        let scene = Scene {
            log: self.log,
            authority: self.cursor.state(),
            trajectory: self.trajectory,
            chain: presented.map_or(&started.chain, |presented| &presented.chain),
            world: &self.world,
            request,
            skills,
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

    /// What is handed down is within what every skill has left beside the cost.
    fn check_granted(&self, delegated: &Delegated, proposal: &Proposal) -> Result<(), FaultKind> {
        let used = self.spent.plus(&self.held()).plus(&self.children.granted());
        let cost = proposal.decision.quote.as_ref().map_or(Amounts::ZERO, |quote| quote.cost);
        let needed = delegated.granted.plus(&cost);
        match narrow(&self.skills, &used).iter().find(|narrowing| narrowing.exceeded_by(&needed).is_some()) {
            Some(narrowing) => Err(FaultKind::BeyondSkill(narrowing.skill.reference())),
            None => Ok(()),
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
        self.check_granted(delegated, proposal)?;
        self.children.delegated((self.log.store(), self.trajectory), (id, entry.header.seq), delegated)?;
        let quote = proposal.decision.quote.as_ref();
        self.spent = self.spent.plus(&quote.map_or(Amounts::ZERO, |quote| quote.cost));
        Ok(())
    }

    /// What is held for turns and dispatches without an outcome, but for steps of an undo.
    pub(super) fn held(&self) -> Amounts {
        let steps = self.undoing.presented.iter().fold(Amounts::ZERO, |sum, presented| sum.plus(&presented.held));
        self.turn.map_or(Amounts::ZERO, |(_, held)| held).plus(&self.dispatches.held().minus(&steps))
    }

    /// A writ is presented to undo what the run did.
    pub(super) fn present(&mut self, record: &Compensation, seq: u64) -> Result<(), FaultKind> {
        let Some(started) = self.start.as_ref().filter(|_| self.since.is_none()) else {
            // A snapshot does not tell what was to be undone.
            return Err(FaultKind::Misplaced);
        };
        let (of, trust) = ((self.log.store(), self.trajectory, &started.chain), &self.cursor.state().trust);
        let issuer = self.undoing.present(record, of, |key| trust.has(key, Role::WritIssuer))?;
        self.vouching.stands_on(issuer, seq);
        if let Some(rederiver) = &mut self.rederiver {
            rederiver.resumed(self.log, &record.contracts);
        }
        Ok(())
    }

    /// The presented writ that an outcome is under, and what it undoes; none of an outcome under the run's own.
    pub(super) fn undoes(&self, origin: &Origin) -> Result<Option<(WritId, Option<EntryId>)>, FaultKind> {
        let undoes = match origin {
            Origin::Dispatch(dispatch) => self.undoing.step(dispatch).map(|(writ, target)| (writ, Some(target))),
            Origin::Proposal(proposal) => self.undoing.of(&proposal.writ).map(|_| (proposal.writ, None)),
        };
        if undoes.is_none() && self.ended.is_some() { Err(FaultKind::AfterEnd) } else { Ok(undoes) }
    }

    /// Debits an outcome or a settlement, on the account that it is under.
    pub(super) fn debit(&mut self, presented: Option<WritId>, held: Option<Amounts>, cost: &Amounts) {
        match presented {
            Some(writ) => self.undoing.settled(&writ, &held.unwrap_or_default(), cost),
            None => self.spent = self.spent.plus(cost),
        }
    }

    /// Follows what a failure says of its effect.
    pub(super) fn failure(
        &mut self,
        failure: &Failure,
        identity: Identity,
        entry: &Entry,
        id: EntryId,
    ) -> Result<(), FaultKind> {
        let undoes = self.undoes(&failure.origin)?;
        let held = self.held_for(&failure.origin);
        self.outcome(&failure.origin, identity, failure.effect == WhatHappened::Unknown, entry)?;
        self.debit(undoes.map(|(writ, _)| writ), held, &failure.cost);
        match (failure.effect, &failure.origin) {
            (WhatHappened::Unknown, _) => {}
            (effect, Origin::Dispatch(dispatch)) if undoes.is_some() => {
                self.undoing.over(dispatch, effect == WhatHappened::Happened);
            }
            (WhatHappened::Happened, _) => self.undoing.happened(id, entry.header.seq, failure.undo.clone()),
            (WhatHappened::None, _) => {}
        }
        Ok(())
    }

    /// Follows the settlement of a doubt.
    pub(super) fn resolution(
        &mut self,
        resolution: &InDoubtResolution,
        seq: u64,
        id: EntryId,
    ) -> Result<(), FaultKind> {
        let step = self.undoing.step(&resolution.dispatch);
        let held = self.dispatches.held_for(&resolution.dispatch);
        self.dispatches.settled(resolution)?;
        self.check_operator(resolution)?;
        self.debit(step.map(|(writ, _)| writ), held, &resolution.cost);
        let happened = resolution.verdict == HappenedVerdict::Happened;
        if step.is_some() {
            self.undoing.over(&resolution.dispatch, happened);
        } else if happened {
            self.undoing.happened(id, seq, None);
        }
        Ok(())
    }

    fn held_for(&self, origin: &Origin) -> Option<Amounts> {
        match origin {
            Origin::Dispatch(dispatch) => self.dispatches.held_for(dispatch),
            Origin::Proposal(_) => None,
        }
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
        let undoes = self.undoes(&commit.origin)?;
        let held = self.held_for(&commit.origin);
        self.outcome(&commit.origin, identity, false, entry)?;
        match (&commit.origin, undoes) {
            (Origin::Dispatch(dispatch), Some((_, Some(target)))) => {
                if commit.compensates != Some(target) {
                    return Err(UndoFault::Order(target).into());
                }
                self.undoing.over(dispatch, true);
            }
            (Origin::Dispatch(_), _) => {
                commit.compensates.map_or(Ok(()), |said| Err(UndoFault::Unpresented(said)))?;
            }
            (Origin::Proposal(proposal), undoes) => {
                self.undoing.check_mark(&proposal.writ, commit.compensates)?;
                undoes.into_iter().for_each(|_| self.undoing.done_at_once());
            }
        }
        if undoes.is_none() && has_effect(commit) {
            self.undoing.happened(id, entry.header.seq, commit.undo.clone());
        }
        check_change(commit, self.log)?;
        if !self.afloat {
            self.world.fold(entry.header.seq, folds)?;
        }
        let recorded = Recorded { seq: entry.header.seq, id, root: commit.world_root };
        if self.pins.options.every_root && !self.afloat {
            self.check_root(&recorded)?;
        }
        self.last_root = Some(recorded).filter(|_| !self.afloat);
        self.base_seq = entry.header.seq;
        self.commits += 1;
        self.debit(undoes.map(|(writ, _)| writ), held, &commit.cost);
        Ok(())
    }

    /// Compares the world as it stands with what a commit says of it.
    pub(super) fn check_root(&self, recorded: &Recorded) -> Result<(), FaultKind> {
        let found = self.world.root();
        if found == recorded.root { Ok(()) } else { Err(FaultKind::Root { recorded: recorded.root, found }) }
    }
}
