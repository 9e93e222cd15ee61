use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{PolicyInput, PolicySet, input::InputFields};
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
        let set = &*self.0;
        let fields = InputFields::new(*input, &set.arguments);
        let mut trace = PolicyTrace::default();
        let mut strongest: Option<&Verdict> = None;
        for (index, compiled) in (0u32..).zip(&set.rules) {
            if compiled.reads_arguments && !fields.considers(&compiled.condition) {
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
        for ((index, engine), descriptor) in (0u32..).zip(&set.engines).zip(&self.definition().engines) {
            // A policy is pure, so nothing that it leaves half done can be seen later.
            let said = match catch_unwind(AssertUnwindSafe(|| engine.evaluate(input))) {
                Ok(Ok(said)) => {
                    trace.asserted.push(AssertedVerdict { policy: index, verdict: said.clone() });
                    Ok(said)
                }
                _ => Err(Verdict::Deny {
                    reason: format!("policy `{}` version `{}` could not decide", descriptor.name, descriptor.version),
                }),
            };
            let failure = said.is_err();
            if failure {
                trace.failed.push(index);
            }
            let said = said.unwrap_or_else(|denial| denial);
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
