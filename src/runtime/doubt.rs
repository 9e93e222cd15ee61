//! Effects of which nobody knows whether they happened: what they block, and how they are settled.

use serde_json::Value;

use super::{authority::expect_epoch, core::Core, error::RunError, in_force::InForce, journal::Journal, past, secrets};
use crate::{
    canon::{Blob, BusinessKeyHash, EntryId, FileHash, ProposalId, Salt, WritId},
    compile::Staged,
    contract::{Effect, SealedContract, ToolName},
    crypto::{NamedKey, PublicKey, Purpose, Role, SignatureError},
    execute,
    host::Signer,
    ledger::{
        Draft, Entry, Kind, LedgerStore, RegisterKey, RegisterOp, StoreError,
        record::{Dispatch, HappenedVerdict, InDoubtResolution, Operator, ResolutionStatement},
        register::{ProposalState, claim_bytes, claim_of},
    },
    proposal::{Claim, ClaimState},
    replay::UnknownEffect,
    writ::Amounts,
};

/// An effect of a run of which nobody knows whether it happened.
#[derive(Debug, Clone)]
pub(crate) struct Doubt {
    pub(crate) dispatch: EntryId,
    pub(crate) seq: u64,
    pub(crate) proposal: ProposalId,
    pub(crate) tool: ToolName,
    /// Absent when they were erased.
    pub(crate) args: Option<Value>,
    pub(crate) probe: Option<FileHash>,
    pub(crate) key: Option<BusinessKeyHash>,
    /// Absent when a failure has debited it.
    pub(crate) held: Option<Amounts>,
    /// What it undoes, where it is a step of an undo.
    pub(crate) undoes: Option<EntryId>,
    /// The writ that it is under.
    pub(crate) writ: WritId,
}

/// What is found out about an effect in doubt, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Resolution<'a> {
    /// The dispatch.
    pub dispatch: EntryId,
    /// Whether it happened.
    pub verdict: HappenedVerdict,
    /// How that was found out, for the audit.
    pub note: Option<&'a str>,
    /// The operator's name, which audits show.
    pub name: &'a str,
}

/// Why an effect in doubt was not settled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// Nothing is in doubt there.
    #[error("entry {} is no dispatch of this run whose effect is in doubt", .0.short())]
    NotInDoubt(EntryId),
    /// The call is under way in this process, so nothing is in doubt yet.
    #[error("dispatch {} is under way in this process: let it end", .0.short())]
    UnderWay(EntryId),
    /// The key may not settle anything here.
    #[error("key {key} is not trusted as approver, so it settles nothing here")]
    NotTrusted {
        /// The key.
        key: PublicKey,
    },
    /// The signer's signature does not verify under its key.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The run cannot be read.
    #[error(transparent)]
    Start(#[from] super::StartError),
    /// The ledger or the key failed; nothing is settled.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Doubt {
    /// What is in doubt from the dispatch of a staged proposal on, until its outcome is known.
    pub(crate) fn of(staged: &Staged, dispatch: EntryId, seq: u64, undoes: Option<EntryId>) -> Self {
        let quote = staged.quote();
        Self {
            dispatch,
            seq,
            proposal: staged.id(),
            tool: staged.contract().name.clone(),
            args: Some(staged.args().clone()),
            probe: quote.probe,
            key: quote.key,
            held: Some(quote.cost),
            undoes,
            writ: staged.proposal().writ,
        }
    }

    /// Reads the dispatch of an effect, and the arguments wherever they stand.
    pub(crate) async fn read(core: &Core, journal: &Journal, effect: &UnknownEffect) -> Result<Self, RunError> {
        let entry = past::entry(&*core.store, &journal.trajectory, effect.seq, effect.dispatch).await?;
        let Dispatch { compensates: undoes, proposal, .. } = entry.body()?;
        let values = if effect.args_seq == effect.seq {
            entry
        } else {
            entry_at(&*core.store, journal, effect.args_seq).await?
        };
        let quote = proposal.decision.quote.as_ref();
        let resolved =
            proposal.resolved.ok_or_else(|| StoreError::Damaged("a dispatch that resolved to nothing".into()))?;
        Ok(Self {
            dispatch: effect.dispatch,
            seq: effect.seq,
            proposal: resolved.id,
            args: values.blob(&proposal.intent.args).and_then(|blob| blob.value().ok()),
            probe: quote.and_then(|quote| quote.probe),
            key: quote.and_then(|quote| quote.key),
            held: effect.held,
            undoes,
            writ: proposal.writ,
            tool: proposal.intent.target.clone(),
        })
    }

    fn claim(&self, journal: &Journal) -> Claim {
        Claim { seq: self.seq, state: ClaimState::InDoubt, trajectory: journal.trajectory }
    }
}

async fn entry_at(store: &dyn LedgerStore, journal: &Journal, seq: u64) -> Result<Entry, RunError> {
    let found = store.read(&journal.trajectory, seq, 1).await?.into_iter().next();
    Ok(found.ok_or_else(|| StoreError::Damaged(format!("entry {seq} is not there")))?)
}

/// The earlier call that stands in the way of this one: with the same business key in any run, or, where the tool names none,
/// with the same arguments and in doubt in this run.
pub(crate) async fn claim(
    core: &Core,
    journal: &Journal,
    contract: &SealedContract,
    key: Option<BusinessKeyHash>,
    args: &Value,
) -> Result<Option<Claim>, StoreError> {
    if contract.effect == Effect::Read {
        return Ok(None);
    }
    if let Some(key) = key {
        let value = core.store.register(&RegisterKey::business_key(&key)).await?;
        return value.map(|value| claim_of(&value)).transpose();
    }
    let same = |doubt: &&Doubt| doubt.key.is_none() && doubt.tool == contract.name && doubt.args.as_ref() == Some(args);
    Ok(journal.doubts.iter().find(same).map(|doubt| doubt.claim(journal)))
}

/// Asks the tools of all effects in doubt what became of them.
pub(crate) async fn reconcile_all(core: &Core, journal: &mut Journal) -> Result<(), RunError> {
    let seqs: Vec<_> = journal.doubts.iter().map(|doubt| doubt.seq).collect();
    for seq in seqs {
        reconcile(core, journal, seq).await?;
    }
    Ok(())
}

/// Asks the tool of the effect that was dispatched at `seq` what became of it; what it knows settles the doubt.
pub(crate) async fn reconcile(core: &Core, journal: &mut Journal, seq: u64) -> Result<(), RunError> {
    let Some(doubt) = journal.doubts.iter().find(|doubt| doubt.seq == seq) else { return Ok(()) };
    let (Some(tool), Some(args)) = (core.tools.get(&doubt.tool), &doubt.args) else { return Ok(()) };
    let Some(happened) = execute::reconcile(&**tool, args, doubt.probe, &core.host).await else { return Ok(()) };
    if !happened && core.calls.is_left(&doubt.dispatch) {
        // It has not happened, and nobody can say that it will not.
        return Ok(());
    }
    let verdict = if happened { HappenedVerdict::Happened } else { HappenedVerdict::NotDone };
    let doubt = doubt.clone();
    settle(core, journal, &core.authority.state(), &doubt, verdict, None).await.map(drop)
}

/// Settles an effect in doubt on an operator's word.
pub(crate) async fn resolve(
    core: &Core,
    journal: &mut Journal,
    resolution: Resolution<'_>,
    signer: &dyn Signer,
) -> Result<EntryId, ResolveError> {
    let Resolution { dispatch, verdict, note, name } = resolution;
    let key = signer.public_key();
    let authority = core.authority.state();
    if !authority.trust.has(&key, Role::Approver) {
        return Err(ResolveError::NotTrusted { key });
    }
    let doubt = journal.doubts.iter().find(|doubt| doubt.dispatch == dispatch).cloned();
    let doubt = doubt.ok_or(ResolveError::NotInDoubt(dispatch))?;
    if core.calls.is_under_way(&dispatch) {
        return Err(ResolveError::UnderWay(dispatch));
    }
    journal.open_accounts(core);
    let note = note.map(|note| seal_note(core, note)).transpose()?;
    let by = NamedKey::new(name, key);
    let statement = ResolutionStatement { by, dispatch, note: note.as_ref().map(Blob::commitment), verdict };
    let hash = statement.hash().map_err(RunError::from)?;
    let signature = signer.sign(Purpose::Resolution, hash.as_bytes()).await.map_err(RunError::from)?;
    key.verify(Purpose::Resolution, hash.as_bytes(), &signature)?;
    let operator = Operator { key: statement.by, signature };
    Ok(settle(core, journal, &authority, &doubt, verdict, Some((operator, note))).await?)
}

pub(crate) fn seal_note(core: &Core, note: &str) -> Result<Blob, RunError> {
    let mut salt = Salt([0; 16]);
    core.host.entropy.fill(&mut salt.0)?;
    Ok(Blob::seal(&Value::from(secrets::text(&core.redactor, note)), salt)?)
}

/// Records what became of an effect in doubt, debits it, and frees or takes its business key and what it undoes.
async fn settle(
    core: &Core,
    journal: &mut Journal,
    authority: &InForce,
    doubt: &Doubt,
    verdict: HappenedVerdict,
    said: Option<(Operator, Option<Blob>)>,
) -> Result<EntryId, RunError> {
    // It is debited where it was held: a step of an undo under the writ that was presented for it.
    let before = journal.stand_under(doubt.undoes.map(|_| doubt.writ));
    let settled = settle_under(core, journal, authority, doubt, verdict, said).await;
    journal.stand_under(before);
    settled
}

async fn settle_under(
    core: &Core,
    journal: &mut Journal,
    authority: &InForce,
    doubt: &Doubt,
    verdict: HappenedVerdict,
    said: Option<(Operator, Option<Blob>)>,
) -> Result<EntryId, RunError> {
    // An operator's word counts in the epoch in which the operator was found to be trusted.
    let mut registers: Vec<_> = said.iter().map(|_| expect_epoch(authority)).collect();
    let (operator, note) = said.map_or((None, None), |(operator, note)| (Some(operator), note));
    let held = doubt.held.unwrap_or_default();
    let cost = verdict.cost(&held);
    let commitment = note.as_ref().map(Blob::commitment);
    let record = InDoubtResolution { cost, dispatch: doubt.dispatch, note: commitment, operator, verdict };
    let draft = Draft::seal(Kind::InDoubtResolution, &record, note.into_iter().collect())?;
    let before = journal.used;
    journal.used.held = before.held.minus(&held);
    journal.used.spent = before.spent.plus(&cost);
    let seq = journal.next_seq;
    registers.extend(journal.account());
    let value = Some(ProposalState::Concluded { seq }.to_bytes());
    registers.push(RegisterOp::Set { key: RegisterKey::outcome(&doubt.proposal), value });
    let undone = doubt.undoes.as_ref().map(RegisterKey::compensated);
    for key in doubt.key.as_ref().map(RegisterKey::business_key).into_iter().chain(undone) {
        registers.push(RegisterOp::Expect { key: key.clone(), value: Some(claim_bytes(&doubt.claim(journal))) });
        let done = Claim { seq, state: ClaimState::Done, trajectory: journal.trajectory };
        let value = (verdict == HappenedVerdict::Happened).then(|| claim_bytes(&done));
        registers.push(RegisterOp::Set { key, value });
    }
    match journal.append_even_after_the_end(core, authority, draft, registers).await {
        Ok(entry) => {
            journal.settle(core, &held, &cost);
            journal.doubts.retain(|other| other.dispatch != doubt.dispatch);
            core.calls.forget(&doubt.dispatch);
            Ok(entry)
        }
        Err(error) => {
            journal.used = before;
            Err(error)
        }
    }
}
