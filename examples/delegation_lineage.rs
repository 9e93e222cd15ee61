//! A research run hands two parts of its task down. Each child works under a part of its writ, spends of its budget, and answers; what
//! would be more than the run has is refused. The whole lineage is drawn and verified from the ledger.

use std::error::Error;

use openthymos::{
    Intent, Runtime, Submitted,
    cognition::{Mock, Request},
    commit::Delta,
    contract::{Effect, Risk},
    crypto::{NamedKey, Role, SecretKey},
    ledger::MemoryLedger,
    policy::{Coordination, PolicySet},
    replay::{self, Pins},
    runtime::{Limits, Subjects},
    tool::{ToolError, ToolOutput, tool},
    world::ResourceId,
    writ::{Amounts, Scope, WritBuilder},
};
use serde_json::json;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Note {
    topic: String,
    text: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    openthymos::host::block_on(work())
}

async fn work() -> Result<(), Box<dyn Error>> {
    let (root, agent) = (SecretKey::generate()?, SecretKey::generate()?);
    let operator = NamedKey::new("operator", root.public_key());
    let note =
        tool("note", Effect::Write, Risk::Low)?.describe("Keeps a note").world_only().function(|note: Note, _| {
            let resource =
                ResourceId::new("note", &note.topic).map_err(|error| ToolError::NotDone(error.to_string()))?;
            Ok(ToolOutput::new("kept").with_delta(Delta::none().create(resource, json!(note.text))))
        });

    // The agent's key signs the writs of its children, and at most two children are started.
    let limits = Coordination { children: 2, descendants: 4, generations: 2 };
    let runtime = Runtime::builder()
        .ledger(MemoryLedger::new())
        .signer("research service", SecretKey::generate()?)
        .trust(operator.clone(), [Role::WritIssuer])
        .policies(PolicySet::builder().coordination(limits).build()?)
        .delegation(Subjects::default().key(agent.clone()))
        .tool(note)
        .open()
        .await?;
    let writ = WritBuilder::root(operator, NamedKey::new("agent", agent.public_key()))
        .stores([runtime.store_id()])
        .scopes([Scope::tools("note".parse()?), Scope::tools("delegate".parse()?)])
        .effects_up_to(Effect::Write)
        .budget(Amounts { tool_calls: 8, wall_clock_ms: 600_000, ..Amounts::ZERO })
        .delegable(2)
        .sign(&root)
        .await?;
    let run = runtime.start("compare tides and winds", &writ, &agent).await?;

    println!("1. What would exceed the run's own writ starts nothing.");
    for args in [
        json!({"task": "pay for data", "tools": ["pay"]}),
        json!({"task": "publish", "tools": ["note"], "effects": "external"}),
        json!({"task": "read everything", "tools": ["note"], "budget": {"tool_calls": 100}}),
    ] {
        if let Submitted::Rejected { refusal, .. } = run.submit(Intent::delegate(args)).await? {
            println!("   {refusal}");
        }
    }

    println!("2. Two parts are handed down, and answered.");
    let keeps = |topic: &str, text: &str| Request::call("note", json!({"topic": topic, "text": text}));
    let hands_down = |task: &str, calls: u64| {
        Request::delegate(json!({"task": task, "tools": ["note"], "effects": "write", "budget": {"tool_calls": calls}}))
    };
    let tides = Mock::script(vec![vec![keeps("tides", "twice a day")]]).answering("The moon sets them.");
    let winds = Mock::script(vec![vec![keeps("winds", "westerly"), keeps("gusts", "in autumn")]]);
    let mut planner =
        Mock::script(vec![vec![hands_down("look into tides", 2)], vec![hands_down("look into winds", 1)]])
            .with_child("look into tides", tides)
            .with_child("look into winds", winds)
            .answering("Tides are regular, winds are not.");
    let summary = run.drive(&mut planner, Limits::default()).await?;
    println!("   {}", summary.answer.unwrap_or_default());
    for child in run.children().await {
        let ended = child.returned.map_or("open", |end| end.reason.as_str());
        println!("   child {}: {ended}", child.run.short());
    }

    println!("3. The lineage, from the ledger, with every decision derived again.");
    let pins = |_: &_| Pins { rederive: true, ..Pins::default() };
    let lineage = replay::lineage(&**runtime.ledger(), &run.id(), pins).await?;
    for run in &lineage.runs {
        let (indent, task) = ("   ".repeat(run.generation + 1), run.task.as_deref().unwrap_or("(erased)"));
        let (calls, commits) = (run.report.spent.tool_calls, run.report.commits);
        println!("{indent}{} · {task} · {commits} commits, {calls} calls", run.report.trajectory.short());
    }
    println!("   {:?}", lineage.verdict());
    Ok(())
}
