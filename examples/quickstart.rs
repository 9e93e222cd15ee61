//! The smallest governed run: one tool, one writ, one refusal, one verdict.

use openthymos::{
    Intent, Runtime, Submitted,
    contract::{Effect, Risk},
    crypto::{NamedKey, Role, SecretKey},
    ledger::MemoryLedger,
    replay::Pins,
    tool::{ToolOutput, tool},
    writ::{Amounts, Scope, WritBuilder},
};
use serde_json::json;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Greet {
    name: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    openthymos::host::block_on(run())
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    // Three keys: one grants, one acts, one signs the ledger.
    let (root, agent, runtime_key) = (SecretKey::generate()?, SecretKey::generate()?, SecretKey::generate()?);
    let operator = NamedKey::new("operator", root.public_key());

    let greet = tool("greet", Effect::Read, Risk::Low)?
        .describe("Greets somebody")
        .function(|args: Greet, _| Ok(ToolOutput::new(format!("hello, {}", args.name))));
    let runtime = Runtime::builder()
        .ledger(MemoryLedger::new())
        .signer("quickstart", runtime_key)
        .trust(operator.clone(), [Role::WritIssuer])
        .tool(greet)
        .open()
        .await?;

    // The writ is the whole authority: these tools, this budget, nothing beyond reading.
    let writ = WritBuilder::root(operator, NamedKey::new("agent", agent.public_key()))
        .stores([runtime.store_id()])
        .scopes([Scope::tools("greet".parse()?)])
        .budget(Amounts { tool_calls: 10, wall_clock_ms: 60_000, ..Amounts::ZERO })
        .sign(&root)
        .await?;
    let run = runtime.start("greet the world", &writ, &agent).await?;

    let greeted = run.submit(Intent::act("greet", json!({"name": "world"}))).await?;
    if let Submitted::Committed { output, seq, .. } = greeted {
        println!("committed at {seq}: {output}");
    }
    let refused = run.submit(Intent::act("transfer", json!({"amount": 5}))).await?;
    if let Submitted::Rejected { refusal, seq, .. } = refused {
        println!("refused at {seq}: {refusal}");
    }
    run.close().await?;

    let report = runtime.replay(&run.id(), Pins::default()).await?;
    println!("{} entries, {report}", report.entries);
    Ok(())
}
