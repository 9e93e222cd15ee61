//! What is sealed, shown or told to a model passes the redactor here; and the secrets of intents that are under way.

use std::{
    borrow::Cow,
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use super::{core::Core, error::RunError, routing};
use crate::{
    canon::{IntentId, TrajectoryId},
    cognition::{CognitionError, Turn},
    compile::Staged,
    execute::{self, Filled},
    intent::{Intent, IntentError, SealedIntent},
    proposal::SecretFault,
    redact::{Findings, Redactor},
};

/// For how many intents with secrets a runtime remembers them; the oldest is forgotten first, and then refused.
const MAX_KEPT: usize = 1_024;

/// How many secrets one intent may hold.
const MAX_SECRETS: usize = 256;

/// Secrets that stood in intents, in memory only: until the outcome, or as long as an approval may take.
#[derive(Default)]
pub(crate) struct Plaintexts(Mutex<VecDeque<Kept>>);

struct Kept {
    run: TrajectoryId,
    intent: IntentId,
    found: Arc<Findings>,
}

impl Plaintexts {
    /// Remembers the secrets of an intent.
    pub(super) fn keep(&self, run: TrajectoryId, intent: IntentId, found: Findings) {
        // What is not kept cannot be filled in: the call is refused.
        if found.is_empty() || found.len() > MAX_SECRETS {
            return;
        }
        let mut kept = self.lock();
        if kept.len() >= MAX_KEPT {
            kept.pop_front();
        }
        kept.push_back(Kept { run, intent, found: Arc::new(found) });
    }

    /// Forgets the secrets of an intent.
    pub(super) fn forget(&self, intent: IntentId) {
        self.lock().retain(|kept| kept.intent != intent);
    }

    /// Forgets the secrets of a run's intents.
    pub(super) fn forget_run(&self, run: TrajectoryId) {
        self.lock().retain(|kept| kept.run != run);
    }

    fn of(&self, intent: IntentId) -> Option<Arc<Findings>> {
        self.lock().iter().find(|kept| kept.intent == intent).map(|kept| Arc::clone(&kept.found))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Redacts a text for good: what it held is not needed again.
pub(super) fn text(redactor: &Redactor, text: &str) -> String {
    redactor.text(text).0.into_owned()
}

/// Redacts an intent, and gives what its arguments held.
pub(super) fn intent(redactor: &Redactor, mut intent: Intent) -> Result<(Intent, Findings), IntentError> {
    for text in [&mut intent.author, &mut intent.target, &mut intent.rationale] {
        if let (Cow::Owned(redacted), _) = redactor.text(text) {
            *text = redacted;
        }
    }
    let found = redactor.value(&mut intent.args)?;
    Ok((intent, found))
}

/// Redacts what cognition said. Its requests are redacted when they are sealed.
pub(super) fn turn(redactor: &Redactor, asked: Result<Turn, CognitionError>) -> Result<Turn, CognitionError> {
    let redact = |said: String| text(redactor, &said);
    match asked {
        Ok(Turn { text, requests, answer, usage, routing }) => Ok(Turn {
            text: text.map(redact),
            requests,
            answer: answer.map(redact),
            usage,
            routing: routing.map(|evidence| routing::bounded(redactor, evidence)),
        }),
        Err(CognitionError { code, message, routing, usage }) => Err(CognitionError {
            code: redact(code),
            message: redact(message),
            routing: routing.map(|evidence| Box::new(routing::bounded(redactor, *evidence))),
            usage,
        }),
    }
}

/// Refuses an intent that was sealed with a secret in it: its plaintext is bound into its id.
pub(super) fn check(redactor: &Redactor, intent: &SealedIntent) -> Result<(), RunError> {
    let found = |value: Value| -> Result<Option<String>, IntentError> {
        Ok(redactor.value(&mut { value })?.iter().next().map(|finding| finding.rule.to_string()))
    };
    let in_clear = |place, rule| RunError::SecretInClear { place, rule };
    if let Some(rule) = found(intent.args().clone())? {
        return Err(in_clear("arguments", rule));
    }
    if let Some(rule) = intent.rationale().map(Value::from).map(found).transpose()?.flatten() {
        return Err(in_clear("rationale", rule));
    }
    let record = intent.record();
    match found(Value::from(vec![record.author.as_str(), record.target.as_str()]))? {
        Some(rule) => Err(in_clear("author or target", rule)),
        None => Ok(()),
    }
}

/// Puts secrets into the arguments of a staged proposal.
pub(super) async fn fill(core: &Core, staged: &Staged) -> Result<Filled, SecretFault> {
    let (found, none) = (core.plaintexts.of(staged.intent().id()), Findings::default());
    execute::fill(staged.intent(), found.as_deref().unwrap_or(&none), &core.redactor, &core.host).await
}
