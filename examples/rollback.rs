//! An agent books a trip, and it is cancelled: what it did is undone newest first, under another writ, until something cannot be.

use std::{
    error::Error,
    sync::{Arc, Mutex},
};

use openthymos::{
    Intent, Runtime,
    contract::{Effect, Risk},
    crypto::{NamedKey, Role, SecretKey},
    ledger::MemoryLedger,
    replay::Pins,
    runtime::{Rollback, RollbackTo, Under},
    tool::{ToolOutput, tool},
    writ::{Amounts, Scope, WritBuilder, WritChain},
};
use serde_json::json;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Booking {
    what: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    openthymos::host::block_on(work())
}

async fn work() -> Result<(), Box<dyn Error>> {
    let (root, agent, clerk) = (SecretKey::generate()?, SecretKey::generate()?, SecretKey::generate()?);
    let operator = NamedKey::new("operator", root.public_key());
    let booked = Arc::new(Mutex::new(Vec::<String>::new()));

    // Each booking says how to undo it. A voucher does not: it is gone.
    let (adds, drops) = (Arc::clone(&booked), Arc::clone(&booked));
    let book = tool("book", Effect::External, Risk::Medium)?.compensable().function(move |args: Booking, _| {
        adds.lock().unwrap_or_else(|held| held.into_inner()).push(args.what.clone());
        Ok(ToolOutput::new(format!("{} is booked", args.what))
            .undone_by("cancel".parse().map_err(not_done)?, json!({ "what": args.what })))
    });
    let cancel = tool("cancel", Effect::External, Risk::Medium)?.function(move |args: Booking, _| {
        drops.lock().unwrap_or_else(|held| held.into_inner()).retain(|what| *what != args.what);
        Ok(ToolOutput::new(format!("{} is cancelled", args.what)))
    });
    let voucher = tool("voucher", Effect::External, Risk::Medium)?
        .function(|args: Booking, _| Ok(ToolOutput::new(format!("a voucher for {} is sent", args.what))));
    let runtime = Runtime::builder()
        .ledger(MemoryLedger::new())
        .signer("travel service", SecretKey::generate()?)
        .trust(operator.clone(), [Role::WritIssuer])
        .tools([Arc::new(book) as _, Arc::new(cancel) as _, Arc::new(voucher) as _])
        .open()
        .await?;

    let issue = async |subject: NamedKey, tools: &[&str]| -> Result<WritChain, Box<dyn Error>> {
        let scopes: Result<Vec<_>, _> = tools.iter().map(|name| name.parse().map(Scope::tools)).collect();
        let writ = WritBuilder::root(operator.clone(), subject).stores([runtime.store_id()]).scopes(scopes?);
        let budget = Amounts { tool_calls: 10, wall_clock_ms: 600_000, ..Amounts::ZERO };
        Ok(writ.effects_up_to(Effect::External).budget(budget).sign(&root).await?)
    };
    let writ = issue(NamedKey::new("agent", agent.public_key()), &["book", "voucher"]).await?;
    let run = runtime.start("a weekend in Rome", &writ, &agent).await?;
    for (tool, what) in [("book", "the flight"), ("voucher", "the museum"), ("book", "the hotel"), ("book", "a table")]
    {
        run.submit(Intent::act(tool, json!({ "what": what }))).await?;
    }
    run.close().await?;
    println!("booked: {:?}", booked.lock().unwrap_or_else(|held| held.into_inner()));

    // The agent may book and not cancel. The clerk's writ is for cancelling, and for nothing else.
    let writ = issue(NamedKey::new("clerk", clerk.public_key()), &["cancel"]).await?;
    let first = runtime.compensate_to(&run.id(), RollbackTo::Start, Under::writ(&writ, &clerk)).await?;
    tell(&first);
    println!("booked: {:?}", booked.lock().unwrap_or_else(|held| held.into_inner()));

    // The voucher was called back by telephone: the clerk signs that its entry stays, and the rest is undone.
    let stays = first.halted.map(|halt| halt.at);
    let under = Under::writ(&writ, &clerk).keeping(stays);
    tell(&runtime.compensate_to(&run.id(), RollbackTo::Start, under).await?);
    println!("booked: {:?}", booked.lock().unwrap_or_else(|held| held.into_inner()));

    let report = runtime.replay(&run.id(), Pins { rederive: true, ..Pins::default() }).await?;
    println!("{report}");
    Ok(())
}

fn tell(rollback: &Rollback) {
    for step in &rollback.undone {
        println!("entry #{} is undone by `{}`, entry #{}", step.seq, step.tool, step.by_seq);
    }
    match &rollback.halted {
        Some(halt) => println!("stopped at entry #{}: {} ({})", halt.seq, halt.cause.code(), halt.message),
        None => println!("nothing is left"),
    }
}

fn not_done(error: impl std::fmt::Display) -> openthymos::tool::ToolError {
    openthymos::tool::ToolError::NotDone(error.to_string())
}
