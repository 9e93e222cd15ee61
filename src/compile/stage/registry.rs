use crate::{
    compile::Inputs,
    contract::SealedContract,
    proposal::{Code, Refusal, Stage},
};

pub(super) fn check<'a>(
    inputs: &Inputs<'_>,
    contract: Option<&'a SealedContract>,
) -> Result<&'a SealedContract, Refusal> {
    contract.ok_or_else(|| unknown_tool(inputs))
}

pub(in crate::compile) fn unknown_tool(inputs: &Inputs<'_>) -> Refusal {
    Refusal::new(Stage::Registry, Code::UnknownTool).asked(&inputs.intent.record().target)
}
