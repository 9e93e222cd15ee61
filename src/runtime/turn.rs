//! The two records of a turn, and what is held between them.

use serde_json::Value;

use super::{
    authority::expect_epoch, error::RunError, events::EventKind, in_force::InForce, journal::Journal, routing::Route,
    run::Inner, secrets, start::standing,
};
use crate::{
    canon::{Blob, EntryId, MAX_BLOB_BYTES, MAX_ENTRY_BLOB_BYTES, NamedBlob, Salt, check_depth},
    cognition::{CognitionError, Request, Turn},
    contract::DELEGATE,
    intent::{Intent, IntentError, IntentKind, SealedIntent},
    ledger::{
        Draft, Kind, LedgerStore, RegisterKey, StoreError,
        record::{self, EndReason, MalformedRequest, TurnError, TurnStart},
        register::Account,
    },
    proposal::Code,
    redact::Findings,
    writ::{Amounts, Dimension, Narrowing, WritChain},
};

/// When the requests of a turn have this many bytes, the next is not looked at: one entry has to hold them all.
const MAX_TURN_BYTES: usize = MAX_ENTRY_BLOB_BYTES / 2 - MAX_BLOB_BYTES;

/// The most characters of a model's text that are recorded in one value.
pub(super) const MAX_TEXT: usize = 1 << 20;

/// How often the start of a turn is decided again because the authority changes meanwhile.
const ATTEMPTS: usize = 8;

/// A request of a turn, sealed or not sealable.
pub(super) enum Proposed {
    Intent(Box<SealedIntent>),
    Malformed { tool: String, args: Value, message: String },
}

/// Seals a turn: its record, and what of it is to be submitted. Its texts have passed the redactor.
pub(super) fn seal(
    inner: &Inner,
    requests_per_turn: usize,
    start: EntryId,
    turn: &Turn,
    failure: Option<&CognitionError>,
) -> Result<(Draft, Vec<Proposed>), RunError> {
    let (entropy, redactor) = (&*inner.core.host.entropy, &inner.core.redactor);
    let mut blobs = Vec::new();
    let seal = |text: &str, blobs: &mut Vec<NamedBlob>| {
        let mut salt = Salt([0; 16]);
        entropy.fill(&mut salt.0)?;
        let text: String = text.chars().take(MAX_TEXT).collect();
        let blob = NamedBlob::seal(&Value::from(text), salt)?;
        let commitment = blob.commitment();
        blobs.push(blob);
        Ok::<_, RunError>(commitment)
    };
    let (mut intents, mut malformed, mut proposed) = (vec![], vec![], vec![]);
    let (limit, asked) = (requests_per_turn, turn.requests.len());
    for (index, request) in turn.requests.iter().enumerate().take(limit.saturating_add(1)) {
        let bytes: usize = blobs.iter().map(|blob: &NamedBlob| blob.bytes.len()).sum();
        let sealed = if bytes > MAX_TURN_BYTES {
            Err(format!("more than {MAX_TURN_BYTES} bytes of arguments in one turn"))
        } else if index < limit {
            seal_request(inner, request).map_err(|error| error.to_string())
        } else {
            Err(format!("{asked} requests in one turn, and the limit is {limit}: the rest is not looked at"))
        };
        match sealed {
            Ok((sealed, found)) => {
                inner.core.plaintexts.keep(inner.trajectory, sealed.id(), found);
                blobs.extend(sealed.blobs().cloned());
                intents.push(sealed.record().clone());
                proposed.push(Proposed::Intent(Box::new(sealed.recorded())));
            }
            Err(message) => {
                let reason = seal(&message, &mut blobs)?;
                malformed.push(MalformedRequest { index: index as u64, reason });
                let tool = secrets::text(redactor, &request.tool);
                proposed.push(Proposed::Malformed { tool, args: Value::Null, message });
            }
        }
    }
    let text = turn.text.as_deref().map(|text| seal(text, &mut blobs)).transpose()?;
    let answer = turn.answer.as_deref().map(|text| seal(text, &mut blobs)).transpose()?;
    let error = match failure {
        Some(failure) => {
            let code = failure.code.chars().take(64).collect();
            Some(TurnError { code, message: seal(&failure.message, &mut blobs)? })
        }
        None => None,
    };
    let record = record::Turn {
        answer,
        answered_by: None,
        carry: None,
        error,
        intents,
        malformed,
        start,
        text,
        tokens: None,
        usage: turn.usage,
    };
    Ok((Draft::seal_named(Kind::Turn, &record, blobs)?, proposed))
}

fn seal_request(inner: &Inner, request: &Request) -> Result<(SealedIntent, Findings), IntentError> {
    check_depth(&request.args)?;
    let intent = Intent {
        author: "cognition".into(),
        // Models call tools: to call this one is to delegate.
        kind: if request.tool == DELEGATE { IntentKind::Delegate } else { request.kind },
        target: request.tool.clone(),
        args: request.args.clone(),
        rationale: request.rationale.clone(),
    };
    let (intent, found) = secrets::intent(&inner.core.redactor, intent)?;
    Ok((intent.seal(&*inner.core.host.entropy)?, found))
}

/// What a model uses up.
const MODEL_USE: [Dimension; 2] = [Dimension::Tokens, Dimension::UsdMillicents];

/// Why cognition is not asked: the run ends.
pub(super) struct NotAsked {
    pub(super) reason: EndReason,
    pub(super) detail: String,
}

impl NotAsked {
    fn exhausted(detail: &str) -> Self {
        Self { reason: EndReason::BudgetExhausted, detail: detail.to_owned() }
    }
}

/// Whether a refusal says that the writ chain gives nothing any more: whatever is proposed would be refused.
pub(super) fn ends_authority(code: Code) -> bool {
    matches!(code, Code::Expired | Code::Revoked | Code::UntrustedRoot | Code::NotYetValid)
}

/// Holds what a turn may cost and records its start, in an epoch in which the writ chain stands.
pub(super) async fn open(
    inner: &Inner,
    journal: &mut Journal,
    cognition: String,
    reserved: Amounts,
) -> Result<Result<(EntryId, u64), NotAsked>, RunError> {
    journal.check_open()?;
    abandon(inner, journal).await?;
    let core = &inner.core;
    let mut authority = core.authority.state();
    for _ in 0..ATTEMPTS {
        if let Err(refusal) = standing(core, &journal.chain, &authority)
            && ends_authority(refusal.code)
        {
            return Ok(Err(NotAsked { reason: EndReason::AuthorityEnded, detail: refusal.code.as_str().to_owned() }));
        }
        match open_in(inner, journal, &authority, &cognition, reserved).await {
            Err(RunError::Store(StoreError::RegisterChanged { key })) if key == RegisterKey::epoch() => {
                authority = core.authority.after(core, &authority).await?;
            }
            opened => return opened,
        }
    }
    Err(RunError::Stale)
}

async fn open_in(
    inner: &Inner,
    journal: &mut Journal,
    authority: &InForce,
    cognition: &str,
    reserved: Amounts,
) -> Result<Result<(EntryId, u64), NotAsked>, RunError> {
    let core = &inner.core;
    let of_models = [Dimension::Tokens, Dimension::UsdMillicents];
    if let Some(dimension) = exhausted(&journal.chain, &core.accounts.balances(&journal.chain), &of_models) {
        return Ok(Err(NotAsked::exhausted(dimension.as_str())));
    }
    if let Some(detail) = journal.narrowings().iter().find_map(|narrowing| beyond_skill(narrowing, &reserved)) {
        return Ok(Err(NotAsked::exhausted(&detail)));
    }
    let (left, fits) = journal.reserve(core, &reserved);
    if !fits {
        let short = left.iter().find_map(|left| reserved.exceeds(left));
        // The budget has room for it, and this handle may not reserve: another one has taken the run up.
        journal.stale |= short.is_none();
        return short.map(|dimension| Err(NotAsked::exhausted(dimension.as_str()))).ok_or(RunError::Stale);
    }
    let step = journal.steps;
    let cognition: String = secrets::text(&core.redactor, cognition).chars().take(128).collect();
    let draft =
        Draft::seal(Kind::TurnStart, &TurnStart { cognition: cognition.clone(), omitted: 0, reserved, step }, vec![])?;
    journal.used.held = journal.used.held.plus(&reserved);
    let mut registers = journal.account();
    registers.push(expect_epoch(authority));
    let entry = match journal.append(core, authority, draft, registers).await {
        Ok(entry) => entry,
        Err(error) => {
            journal.used.held = journal.used.held.minus(&reserved);
            if !error.is_unclear() {
                journal.release(core, &reserved);
            }
            return Err(error);
        }
    };
    journal.steps += 1;
    journal.open_turn = Some((entry, reserved));
    inner.watchers.tell(Some((journal.last_seq(), entry)), || EventKind::TurnStarted { step, cognition });
    Ok(Ok((entry, step)))
}

/// The first of these dimensions that was granted and is used up. Where it is one of model use, no model is asked, whatever it
/// estimates.
pub(super) fn exhausted(chain: &WritChain, left: &[Amounts], dimensions: &[Dimension]) -> Option<Dimension> {
    dimensions.iter().copied().find(|dimension| {
        chain.links().zip(left).any(|((_, writ), left)| writ.budget.get(*dimension) > 0 && left.get(*dimension) == 0)
    })
}

/// What a skill has not enough left of to ask a model: a dimension of model use that it limits and that is used up, or one in
/// which what is to be held does not fit.
fn beyond_skill(narrowing: &Narrowing, reserved: &Amounts) -> Option<String> {
    let Narrowing { left, skill } = narrowing;
    let used_up = |dimension: &Dimension| skill.budget.get(*dimension) > Some(0) && left.get(*dimension) == Some(0);
    let used_up = MODEL_USE.into_iter().find(used_up);
    used_up.or_else(|| narrowing.exceeded_by(reserved)).map(|dimension| of_skill(dimension, narrowing))
}

/// A dimension of what a skill has left, in words.
pub(super) fn of_skill(dimension: Dimension, narrowing: &Narrowing) -> String {
    format!("{} of skill {}", dimension.as_str(), narrowing.skill.reference())
}

/// Whether all of a budget that was granted in a dimension is spent, under a writ of the chain, as the ledger has it.
pub(super) async fn is_spent(
    store: &dyn LedgerStore,
    chain: &WritChain,
    dimension: Dimension,
) -> Result<bool, StoreError> {
    for (writ, body) in chain.links() {
        let granted = body.budget.get(dimension);
        let total = store.register(&RegisterKey::total(&writ)).await?;
        let spent = match total {
            Some(total) => Account::from_bytes(&total)?.spent,
            // Without a total nobody can tell what is held from what is spent.
            None => Amounts::MAX,
        };
        if granted > 0 && spent.get(dimension) >= granted {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Appends the outcome of the open turn, and with it how its route did, and turns what was held for it into what it cost. Returns its
/// seq and id.
pub(super) async fn close(
    inner: &Inner,
    journal: &mut Journal,
    draft: Draft,
    held: Amounts,
    cost: Amounts,
    route: Option<Route>,
) -> Result<(u64, EntryId), RunError> {
    let (before, seq) = (journal.used, journal.next_seq);
    journal.used.held = before.held.minus(&held);
    journal.used.spent = before.spent.plus(&cost);
    let (core, registers) = (&inner.core, journal.account());
    let appended = match route {
        Some(route) => journal.append_followed(core, draft, registers, |turn| route.draft(turn)).await,
        None => journal.append(core, &core.authority.state(), draft, registers).await,
    };
    match appended {
        Ok(entry) => {
            journal.open_turn = None;
            journal.settle(core, &held, &cost);
            Ok((seq, entry))
        }
        Err(error) => {
            journal.used = before;
            Err(error)
        }
    }
}

/// Records the outcome of a turn whose drive went away. What was held for it counts as spent: it may have been.
pub(super) async fn abandon(inner: &Inner, journal: &mut Journal) -> Result<(), RunError> {
    let Some((start, held)) = journal.open_turn else { return Ok(()) };
    let mut salt = Salt([0; 16]);
    inner.core.host.entropy.fill(&mut salt.0)?;
    let message = Blob::seal(&Value::from("the drive that asked went away"), salt)?;
    let error = Some(TurnError { code: "abandoned".into(), message: message.commitment() });
    let record = record::Turn {
        answer: None,
        answered_by: None,
        carry: None,
        error,
        intents: vec![],
        malformed: vec![],
        start,
        text: None,
        tokens: None,
        usage: held,
    };
    let draft = Draft::seal(Kind::Turn, &record, vec![message])?;
    close(inner, journal, draft, held, held, None).await.map(drop)
}
