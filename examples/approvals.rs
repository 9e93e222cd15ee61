//! A transfer that two of three people have to sign off: it is done when they have, once, and not when it may not be
//! done any more.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use openthymos::{
    Intent, Runtime, Submitted,
    canon::EntryId,
    contract::{Effect, Risk},
    crypto::{NamedKey, Role, SecretKey},
    ledger::MemoryLedger,
    policy::{Quorum, Roster, SignedRoster},
    replay::Pins,
    runtime::{Answer, Run},
    tool::{ToolOutput, tool},
    writ::{Amounts, Scope, WritBuilder},
};
use serde_json::json;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Transfer {
    payee: String,
    euros: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    openthymos::host::block_on(work())
}

async fn work() -> Result<(), Box<dyn Error>> {
    let (root, agent) = (SecretKey::generate()?, SecretKey::generate()?);
    let (alice, bob, carol) = (SecretKey::generate()?, SecretKey::generate()?, SecretKey::generate()?);
    let operator = NamedKey::new("operator", root.public_key());

    // Two of three approve on the channel that the gates ask.
    let named = |name: &str, key: &SecretKey| NamedKey::new(name, key.public_key());
    let approvers = vec![named("alice", &alice), named("bob", &bob), named("carol", &carol)];
    let channels = [("operator".to_owned(), Quorum { approvers, required: 2 })].into();
    let roster = SignedRoster::sign(Roster { channels, version: "1".into() }, &root).await?;
    let roster = roster.verify(|issuer| *issuer == root.public_key())?;

    // A critical tool needs approval, whatever the policies permit.
    let paid = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&paid);
    let transfer = tool("transfer", Effect::External, Risk::Critical)?.describe("Transfers euros").function(
        move |args: Transfer, _| {
            counter.fetch_add(args.euros, Ordering::SeqCst);
            Ok(ToolOutput::new(format!("{} euros to {}", args.euros, args.payee)))
        },
    );

    let runtime = Runtime::builder()
        .ledger(MemoryLedger::new())
        .signer("bank service", SecretKey::generate()?)
        .trust(operator.clone(), [Role::WritIssuer, Role::PolicyIssuer])
        .roster(roster)
        .tool(transfer)
        .open()
        .await?;
    let scope = Scope::tools("transfer".parse()?);
    let writ = || {
        WritBuilder::root(operator.clone(), named("agent", &agent))
            .stores([runtime.store_id()])
            .scopes([scope.clone()])
            .effects_up_to(Effect::External)
            .budget(Amounts { tool_calls: 20, wall_clock_ms: 3_600_000, ..Amounts::ZERO })
            .sign(&root)
    };
    let run = runtime.start("pay what is due", &writ().await?, &agent).await?;

    println!("1. It waits, and is done when two have approved.");
    let request = asks(&run, 250).await?;
    vote(&run, Answer::approve(request).by("alice", &alice)).await?;
    vote(&run, Answer::approve(request).by("alice", &alice)).await?;
    vote(&run, Answer::approve(request).by("carol", &carol).note("invoice 7 is right")).await?;
    println!("   paid so far: {} euros", paid.load(Ordering::SeqCst));
    carries_on(&run).await?;
    println!("   paid so far: {} euros", paid.load(Ordering::SeqCst));

    println!("2. The authority that it stood on is gone meanwhile: it is sent back.");
    let revoked = writ().await?;
    let other = runtime.start("pay something else", &revoked, &agent).await?;
    let request = asks(&other, 300).await?;
    vote(&other, Answer::approve(request).by("alice", &alice)).await?;
    vote(&other, Answer::approve(request).by("bob", &bob)).await?;
    runtime.revoke(revoked.id(), "the task is over", "operator", &root).await?;
    carries_on(&other).await?;
    println!("   paid so far: {} euros", paid.load(Ordering::SeqCst));

    println!("3. One denial is enough, and it is remembered.");
    let request = asks(&run, 9_000).await?;
    vote(&run, Answer::approve(request).by("alice", &alice)).await?;
    vote(&run, Answer::deny(request).by("bob", &bob).note("who is this?")).await?;
    let again = run.submit(Intent::act("transfer", json!({"payee": "acme", "euros": 9_000}))).await?;
    if let Submitted::Rejected { refusal, .. } = again {
        println!("   asked for again: {refusal}");
    }

    run.close().await?;
    let report = runtime.replay(&run.id(), Pins { rederive: true, ..Pins::default() }).await?;
    println!("4. Anybody can count again: {report}");
    println!("   paid: {} euros", paid.load(Ordering::SeqCst));
    Ok(())
}

/// Asks for a transfer, which has to wait.
async fn asks(run: &Run, euros: u64) -> Result<EntryId, Box<dyn Error>> {
    match run.submit(Intent::act("transfer", json!({"payee": "acme", "euros": euros}))).await? {
        Submitted::Suspended { entry, channel, reason, .. } => {
            println!("   {euros} euros to acme: waits for `{channel}` ({reason})");
            Ok(entry)
        }
        other => Err(format!("it was to wait: {other:?}").into()),
    }
}

async fn vote(run: &Run, answer: Answer<'_>) -> Result<(), Box<dyn Error>> {
    match run.vote(answer).await {
        Ok(voted) => match voted.outcome {
            Some(outcome) => println!("   voted: it is {outcome:?}"),
            None => println!("   voted: {} of {} approvals", voted.evidence.approved.len(), voted.evidence.quorum),
        },
        Err(error) => println!("   not taken: {error}"),
    }
    Ok(())
}

async fn carries_on(run: &Run) -> Result<(), Box<dyn Error>> {
    for (_, became) in run.carry_on().await? {
        match became {
            Submitted::Committed { output, seq, .. } => println!("   done, commit #{seq}: {output}"),
            Submitted::Rejected { refusal, .. } => println!("   sent back: {refusal}"),
            other => println!("   {other:?}"),
        }
    }
    Ok(())
}
