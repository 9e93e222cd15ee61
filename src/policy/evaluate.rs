use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{PolicyDescriptor, PolicyInput, PolicySet, input::InputFields};
use crate::{
    predicate::{Fields, Truth},
    proposal::{AssertedVerdict, PolicyTrace, Verdict},
};

/// What a policy set says of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Whether the verdict is the denial of a policy written in Rust that failed.
    pub failed: bool,
    /// What led to the verdict.
    pub trace: PolicyTrace,
    /// The strongest verdict of all.
    pub verdict: Verdict,
}

impl PolicySet {
    /// Judges a call by every rule and policy.
    ///
    /// Deny wins over require-approval, which wins over permit; of equal verdicts the first stands, rules before
    /// policies written in Rust. A rule fires where its condition holds, and, unless it permits, where its condition
    /// cannot be judged. A policy that returns an error or panics denies; the trace then names it as failed.
    pub fn evaluate(&self, input: &PolicyInput<'_>) -> Evaluation {
        let ask = |index: u32| {
            let engine = self.0.engines.get(usize::try_from(index).ok()?)?;
            // A policy is pure, so nothing that it leaves half done can be seen later.
            catch_unwind(AssertUnwindSafe(|| engine.evaluate(input))).ok()?.ok()
        };
        self.weigh(input, ask)
    }

    /// Judges a call as [`evaluate`](Self::evaluate) does, with what `recorded` says that policies written in Rust said, in their
    /// order. One of which it says nothing is taken to have failed.
    pub fn evaluate_recorded(&self, input: &PolicyInput<'_>, recorded: &PolicyTrace) -> Evaluation {
        let mut said = recorded.asserted.iter().peekable();
        self.weigh(input, |index| Some(said.next_if(|said| said.policy == index)?.verdict.clone()))
    }

    /// `engine` gives what a policy written in Rust says, or nothing when it fails.
    fn weigh(&self, input: &PolicyInput<'_>, mut engine: impl FnMut(u32) -> Option<Verdict>) -> Evaluation {
        let set = &*self.0;
        let fields = InputFields::new(*input, &set.arguments);
        let mut trace = PolicyTrace::default();
        let mut strongest: Option<&Verdict> = None;
        for (index, compiled) in (0u32..).zip(&set.rules) {
            if compiled.is_selective && !fields.considers(&compiled.condition) {
                continue;
            }
            let truth = compiled.condition.evaluate(&fields);
            match truth {
                Truth::False => continue,
                Truth::True => trace.fired.push(index),
                Truth::Unknown => trace.unknown.push(index),
            }
            if let Some((_, rule)) = set.find(compiled)
                && severity(&rule.decision) > strongest.map_or(0, severity)
            {
                strongest = Some(&rule.decision);
            }
        }
        let mut verdict = strongest.cloned().unwrap_or(Verdict::Permit);
        let mut failed = false;
        for (index, descriptor) in (0u32..).zip(&self.definition().engines) {
            let said = engine(index);
            let failure = said.is_none();
            let said = match said {
                Some(said) => {
                    trace.asserted.push(AssertedVerdict { policy: index, verdict: said.clone() });
                    said
                }
                None => {
                    trace.failed.push(index);
                    let PolicyDescriptor { name, version, .. } = descriptor;
                    Verdict::Deny { reason: format!("policy `{name}` version `{version}` could not decide") }
                }
            };
            if severity(&said) > severity(&verdict) {
                (verdict, failed) = (said, failure);
            }
        }
        Evaluation { failed, trace, verdict }
    }
}

fn severity(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Permit => 0,
        Verdict::RequireApproval { .. } => 1,
        Verdict::Deny { .. } => 2,
    }
}
