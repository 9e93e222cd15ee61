use super::{Outcome, PastOutcome};

/// How many of a run's calls ended in which way.
pub(super) struct Tally(Vec<(&'static str, usize)>);

impl Tally {
    pub(super) fn of(history: &[PastOutcome]) -> Self {
        let words = ["committed", "refused", "failed", "in doubt", "waiting for approval", "not attempted"];
        let count = |word| history.iter().filter(|past| word_for(&past.outcome) == word).count();
        Self(words.into_iter().map(|word| (word, count(word))).filter(|(_, count)| *count > 0).collect())
    }
}

/// One sentence without its full stop: the number of calls, and what became of them.
impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total: usize = self.0.iter().map(|(_, count)| count).sum();
        write!(f, "{total} {}", if total == 1 { "call" } else { "calls" })?;
        for (index, (word, count)) in self.0.iter().enumerate() {
            write!(f, "{} {count} {word}", if index == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

fn word_for(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Committed { .. } => "committed",
        Outcome::Refused(_) => "refused",
        Outcome::Failed { effect, .. } if effect == "unknown" => "in doubt",
        Outcome::Failed { .. } => "failed",
        Outcome::Suspended { .. } => "waiting for approval",
        Outcome::Delegated { .. } => "delegated",
        Outcome::Unanswered { .. } => "unanswered",
        Outcome::NotAttempted => "not attempted",
    }
}

/// What became of one call, as the rest of a sentence; nothing for a committed one.
pub(super) fn trouble(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Committed { .. } => None,
        Outcome::Refused(refusal) => Some(format!("was refused at {refusal}")),
        Outcome::Suspended { reason } => Some(format!("waits for approval: {reason}")),
        Outcome::Delegated { run } => Some(format!("is worked on by child run {run}")),
        Outcome::Failed { cause, message, effect } => {
            Some(format!("failed with {cause} (effect: {effect}): {message}"))
        }
        Outcome::Unanswered { channel } => Some(format!("was not approved in time on `{channel}`")),
        Outcome::NotAttempted => Some("was not attempted".into()),
    }
}
