use crate::{
    compile::Inputs,
    contract::SealedContract,
    proposal::{Code, Refusal, Stage},
};

pub(super) fn check<'a>(
    inputs: &Inputs<'_>,
    contract: Option<&'a SealedContract>,
) -> Result<&'a SealedContract, Refusal> {
    let contract = contract.ok_or_else(|| unknown_tool(inputs))?;
    let then = inputs.earlier.and_then(|earlier| earlier.resolved).map(|resolved| resolved.contract);
    match then.filter(|then| *then != contract.hash()) {
        Some(then) => Err(Refusal::new(Stage::Registry, Code::ContractChanged).asked(contract.hash()).allowed(then)),
        None => Ok(contract),
    }
}

pub(in crate::compile) fn unknown_tool(inputs: &Inputs<'_>) -> Refusal {
    Refusal::new(Stage::Registry, Code::UnknownTool).asked(&inputs.intent.record().target)
}
