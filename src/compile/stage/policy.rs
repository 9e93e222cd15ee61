use super::Request;
use crate::{
    compile::{Child, Inputs},
    contract::SealedContract,
    policy::{ChildRun, PolicyInput},
    proposal::{Code, PolicyTrace, Quote, Refusal, Stage, Verdict},
};

pub(super) fn check(
    inputs: &Inputs<'_>,
    contract: &SealedContract,
    (quote, child): (&Quote, Option<&Child>),
    trace: &mut PolicyTrace,
) -> Result<Option<Request>, Refusal> {
    let child = quote.child.as_deref().zip(child).map(|(quote, child)| ChildRun { quote, writ: &child.writ });
    let chain = inputs.standing.chain;
    let input = PolicyInput { intent: inputs.intent, chain, child, contract, world: inputs.world };
    let evaluation = match inputs.recorded {
        Some(recorded) => inputs.policies.evaluate_recorded(&input, &recorded.trace),
        None => inputs.policies.evaluate(&input),
    };
    *trace = evaluation.trace;
    let asked = match evaluation.verdict {
        Verdict::Permit => None,
        Verdict::RequireApproval { channel, reason } => Some(Request { channel, reason }),
        Verdict::Deny { reason } => {
            let code = if evaluation.failed { Code::PolicyFailed } else { Code::PolicyDenied };
            return Err(Refusal::new(Stage::Policy, code).asked(reason));
        }
    };
    let (now, then) = (inputs.policies.hash(), inputs.earlier.map(|earlier| earlier.decision.policy_set));
    match then.filter(|then| *then != now) {
        Some(then) => Err(Refusal::new(Stage::Policy, Code::PolicyChanged).asked(now).allowed(then)),
        None => Ok(asked),
    }
}
