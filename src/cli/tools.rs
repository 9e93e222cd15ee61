use std::{path::Path, sync::Arc};

use serde_json::json;

use super::{
    failure::{Done, Failure},
    home::Home,
    locate::Place,
    out::Out,
    style::plain,
};
use crate::{
    contract::{Contract, ContractSet},
    tool::{
        ToolContract, ToolRegistry,
        builtin::{Workspace, kv},
    },
};

/// List the tools that a writ can grant
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Print the contracts as JSON, with their hashes
    #[arg(long)]
    json: bool,
}

/// Every tool that runs in a workspace have.
pub(super) fn of(workspace: &Path) -> Done<Vec<Arc<dyn ToolContract>>> {
    let opened = Workspace::open(workspace);
    let opened = opened.map_err(|error| Failure::usage(format!("workspace `{}`: {error}", workspace.display())))?;
    Ok(opened.tools().into_iter().chain(kv()).collect())
}

/// What they declare.
pub(super) fn contracts(tools: &[Arc<dyn ToolContract>]) -> Done<ContractSet> {
    let mut registry = ToolRegistry::default();
    for tool in tools {
        registry.register(Arc::clone(tool)).map_err(Failure::failed)?;
    }
    // Rules may be about delegations, too.
    registry.register_delegation().map_err(Failure::failed)?;
    Ok(registry.contracts().clone())
}

pub(super) fn run(args: &Args) -> Done {
    let contracts = contracts(&of(&args.place.workspace(&Home::locate()?)?)?)?;
    let mut out = Out::new();
    if args.json {
        let tool = |contract: &crate::contract::SealedContract| json!({"hash": contract.hash(), "contract": Contract::clone(contract)});
        out.json(&contracts.iter().map(tool).collect());
        return out.finish();
    }
    let row = |contract: &Contract| {
        let about = contract.description.split(". ").next().unwrap_or_default();
        let words = [contract.effect.as_str(), contract.risk.as_str(), contract.touches.as_str()].map(str::to_owned);
        let [effect, risk, touches] = words;
        let undo = if contract.compensable { "yes" } else { "" };
        vec![contract.name.to_string(), effect, risk, touches, undo.into(), plain(about)]
    };
    let rows: Vec<_> = contracts.iter().map(|contract| row(contract)).collect();
    out.table(&["TOOL", "EFFECT", "RISK", "TOUCHES", "UNDO", "WHAT IT DOES"], &rows);
    out.finish()
}
