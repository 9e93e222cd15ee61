//! The two records of a turn, and what is held between them.

use serde_json::Value;

use super::{error::RunError, events::EventKind, journal::Journal, run::Inner, secrets};
use crate::{
    canon::{Blob, EntryId, MAX_BLOB_BYTES, MAX_ENTRY_BLOB_BYTES, Salt},
    cognition::{CognitionError, Turn},
    intent::{Intent, SealedIntent},
    ledger::{
        Draft, Kind,
        record::{self, MalformedRequest, TurnError, TurnStart},
    },
    writ::{Amounts, Dimension, WritChain},
};

/// When the requests of a turn have this many bytes, the next is not looked at: one entry has to hold them all.
const MAX_TURN_BYTES: usize = MAX_ENTRY_BLOB_BYTES / 2 - MAX_BLOB_BYTES;

/// The most characters of a model's text that are recorded in one value.
pub(super) const MAX_TEXT: usize = 1 << 20;

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
    let seal = |text: &str, blobs: &mut Vec<Blob>| {
        let mut salt = Salt([0; 16]);
        entropy.fill(&mut salt.0)?;
        let text: String = text.chars().take(MAX_TEXT).collect();
        let blob = Blob::seal(&Value::from(text), salt)?;
        let commitment = blob.commitment();
        blobs.push(blob);
        Ok::<_, RunError>(commitment)
    };
    let (mut intents, mut malformed, mut proposed) = (vec![], vec![], vec![]);
    let (limit, asked) = (requests_per_turn, turn.requests.len());
    for (index, request) in turn.requests.iter().enumerate().take(limit.saturating_add(1)) {
        let intent = Intent {
            author: "cognition".into(),
            kind: request.kind,
            target: request.tool.clone(),
            args: request.args.clone(),
            rationale: request.rationale.clone(),
        };
        let (intent, found) = secrets::intent(redactor, intent);
        let tool = intent.target.clone();
        let bytes: usize = blobs.iter().map(|blob: &Blob| blob.bytes.len()).sum();
        let sealed = if bytes > MAX_TURN_BYTES {
            Err(format!("more than {MAX_TURN_BYTES} bytes of arguments in one turn"))
        } else if index < limit {
            intent.seal(entropy).map_err(|error| error.to_string())
        } else {
            Err(format!("{asked} requests in one turn, and the limit is {limit}: the rest is not looked at"))
        };
        match sealed {
            Ok(sealed) => {
                inner.core.plaintexts.keep(inner.trajectory, sealed.id(), found);
                blobs.extend(sealed.blobs().cloned());
                intents.push(sealed.record().clone());
                proposed.push(Proposed::Intent(Box::new(sealed.recorded())));
            }
            Err(message) => {
                let reason = seal(&message, &mut blobs)?;
                malformed.push(MalformedRequest { index: index as u64, reason });
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
    Ok((Draft::seal(Kind::Turn, &record, blobs)?, proposed))
}

/// Holds what a turn may cost and records its start. `Err` names the dimension that does not suffice.
pub(super) async fn open(
    inner: &Inner,
    journal: &mut Journal,
    cognition: String,
    reserved: Amounts,
) -> Result<Result<(EntryId, u64), String>, RunError> {
    journal.check_open()?;
    abandon(inner, journal).await?;
    let core = &inner.core;
    if let Some(dimension) = exhausted(&journal.chain, &core.accounts.balances(&journal.chain)) {
        return Ok(Err(dimension.as_str().to_owned()));
    }
    let (left, fits) = journal.reserve(core, &reserved);
    if !fits {
        let short = left.iter().find_map(|left| reserved.exceeds(left));
        // The budget has room for it, and this handle may not reserve: another one has taken the run up.
        journal.stale |= short.is_none();
        return short.map(|dimension| Err(dimension.as_str().to_owned())).ok_or(RunError::Stale);
    }
    let step = journal.steps;
    let cognition: String = secrets::text(&core.redactor, &cognition).chars().take(128).collect();
    let draft =
        Draft::seal(Kind::TurnStart, &TurnStart { cognition: cognition.clone(), omitted: 0, reserved, step }, vec![])?;
    journal.used.held = journal.used.held.plus(&reserved);
    let registers = journal.account();
    let entry = match journal.append(core, &core.authority.state(), draft, registers).await {
        Ok(entry) => entry,
        Err(error) => {
            journal.used.held = journal.used.held.minus(&reserved);
            journal.release(core, &reserved);
            return Err(error);
        }
    };
    journal.steps += 1;
    journal.open_turn = Some((entry, reserved));
    inner.watchers.tell(Some((journal.last_seq(), entry)), || EventKind::TurnStarted { step, cognition });
    Ok(Ok((entry, step)))
}

/// A dimension of model use that was granted and is used up: no model is asked then, whatever it estimates.
fn exhausted(chain: &WritChain, left: &[Amounts]) -> Option<Dimension> {
    [Dimension::Tokens, Dimension::UsdMillicents].into_iter().find(|dimension| {
        chain.links().zip(left).any(|((_, writ), left)| writ.budget.get(*dimension) > 0 && left.get(*dimension) == 0)
    })
}

/// Appends the outcome of the open turn, and turns what was held for it into what it cost.
pub(super) async fn close(
    inner: &Inner,
    journal: &mut Journal,
    draft: Draft,
    held: Amounts,
    cost: Amounts,
) -> Result<EntryId, RunError> {
    let before = journal.used;
    journal.used.held = before.held.minus(&held);
    journal.used.spent = before.spent.plus(&cost);
    let registers = journal.account();
    match journal.append(&inner.core, &inner.core.authority.state(), draft, registers).await {
        Ok(entry) => {
            journal.open_turn = None;
            journal.settle(&inner.core, &held, &cost);
            Ok(entry)
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
    close(inner, journal, draft, held, held).await.map(drop)
}
