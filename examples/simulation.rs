//! Books that an agent keeps, and what other rules would have meant for them: what would not have been written, what was
//! built on that, and what could not have been known.

use std::{collections::BTreeSet, error::Error};

use async_trait::async_trait;
use openthymos::{
    Intent, Runtime, ToolContract,
    commit::Delta,
    contract::{Contract, Effect, Risk, ToolName, Touches},
    crypto::{NamedKey, Role, SecretKey},
    ledger::{LedgerStore, MemoryLedger},
    policy::{Bundle, BundleEntry},
    proposal::Status,
    replay::{
        Pins,
        simulate::{self, Because, Change, Conclusion, Found, Runs, Simulated},
    },
    tool::{Call, ToolError, ToolOutput},
    world::ResourceId,
    writ::{Amounts, Scope, WritBuilder},
};
use serde_json::{Value, json};

/// Writes an amount on an account, with what stands on other accounts added to it.
struct Book(ToolName);

fn account(name: &Value) -> Option<ResourceId> {
    ResourceId::new("account", name.as_str()?).ok()
}

fn others(args: &Value) -> Vec<ResourceId> {
    args.get("with").and_then(Value::as_array).into_iter().flatten().filter_map(account).collect()
}

#[async_trait]
impl ToolContract for Book {
    fn contract(&self) -> Contract {
        Contract {
            compensable: false,
            description: "Writes on an account".into(),
            effect: Effect::Write,
            name: self.0.clone(),
            risk: Risk::Medium,
            schema: json!({
                "type": "object",
                "properties": {
                    "account": { "type": "string" },
                    "euros": { "type": "integer" },
                    "with": { "type": "array", "items": { "type": "string" } }
                },
                "required": ["account", "euros"]
            }),
            touches: Touches::World,
            version: "1".into(),
        }
    }

    fn reads(&self, args: &Value) -> Vec<ResourceId> {
        args.get("account").and_then(account).into_iter().chain(others(args)).collect()
    }

    async fn call(&self, Call { args, reads, .. }: Call) -> Result<ToolOutput, ToolError> {
        let id = args.get("account").and_then(account).ok_or_else(|| ToolError::NotDone("no account".into()))?;
        let stands = |id: &ResourceId| reads.value(id).and_then(Value::as_i64).unwrap_or(0);
        let euros = args.get("euros").and_then(Value::as_i64).unwrap_or(0);
        let sum = stands(&id) + euros + others(&args).iter().map(stands).sum::<i64>();
        let delta = match reads.version(&id) {
            0 => Delta::none().create(id, json!(sum)),
            version => Delta::none().replace(id, version, json!(sum)),
        };
        Ok(ToolOutput::new(sum).with_delta(delta))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    openthymos::host::block_on(work())
}

async fn work() -> Result<(), Box<dyn Error>> {
    let (root, agent) = (SecretKey::generate()?, SecretKey::generate()?);
    let operator = NamedKey::new("operator", root.public_key());
    let runtime = Runtime::builder()
        .ledger(MemoryLedger::new())
        .signer("books", SecretKey::generate()?)
        .trust(operator.clone(), [Role::WritIssuer])
        .tool(Book("book".parse()?))
        .open()
        .await?;
    let writ = WritBuilder::root(operator, NamedKey::new("agent", agent.public_key()))
        .stores([runtime.store_id()])
        .scopes([Scope::tools("book".parse()?)])
        .effects_up_to(Effect::Write)
        .budget(Amounts { tool_calls: 20, wall_clock_ms: 3_600_000, ..Amounts::ZERO })
        .sign(&root)
        .await?;

    let run = runtime.start("keep the books", &writ, &agent).await?;
    for call in [
        json!({"account": "acme", "euros": 250}),
        json!({"account": "globex", "euros": 9_000}),
        json!({"account": "initech", "euros": 40}),
        json!({"account": "quarter", "euros": 0, "with": ["acme", "globex"]}),
        json!({"account": "year", "euros": 0, "with": ["quarter"]}),
        json!({"account": "letters", "euros": 3, "with": ["initech"]}),
    ] {
        let account = call.get("account").and_then(Value::as_str).unwrap_or_default().to_owned();
        run.submit(Intent::act("book", call)).await?;
        println!("   booked: {account}");
    }
    run.submit(Intent::act("transfer", json!({"euros": 9_000}))).await?;
    println!("   refused: transfer, which is not there");
    run.close().await?;
    let ledger = &**runtime.ledger();

    println!("1. What would a rule have said that has 5,000 euros and more approved?");
    let much = json!({"field": "args.euros", "op": "gte", "value": 5_000});
    let asks = json!({"kind": "require_approval", "channel": "finance", "reason": "5,000 euros or more"});
    tell(ledger, rule("much", much, asks)?).await?;

    println!("2. One that has no euros booked on `initrode`?");
    let initrode = json!({"field": "args.account", "op": "eq", "value": "initrode"});
    tell(ledger, rule("initrode", initrode, json!({"kind": "deny", "reason": "closed"}))?).await?;

    println!("3. And if the writ had been revoked from the start?");
    tell(ledger, Change { revoked: BTreeSet::from([writ.id()]), ..Change::default() }).await
}

/// A rule in place of all others.
fn rule(name: &str, when: Value, decision: Value) -> Result<Change, Box<dyn Error>> {
    let bundle = json!({
        "name": "new", "version": "1", "rules": [{"name": name, "when": when, "decision": decision}]
    });
    let bundle = Bundle::from_json(bundle.to_string().as_bytes())?;
    Ok(Change { rules: Some(vec![BundleEntry::Unsigned(bundle)]), ..Change::default() })
}

async fn tell(ledger: &dyn LedgerStore, change: Change) -> Result<(), Box<dyn Error>> {
    let simulation = simulate::runs(ledger, Runs::All, change, Pins::default(), show).await?;
    let (decisions, others) = (simulation.decisions(), simulation.changed.total());
    match simulation.conclusion() {
        Conclusion::NothingChanges => println!("   nothing changes: {decisions} decisions as before"),
        _ => println!("   {others} of {decisions} decisions, {} commits in the blast radius", simulation.commits),
    }
    Ok(())
}

fn show(found: &Found) {
    match found {
        Found::Changed(changed) => {
            let now = match &changed.now {
                Simulated::Decided(Status::Suspended { channel, .. }) => format!("would wait for `{channel}`"),
                Simulated::Decided(Status::Rejected(refusal)) => format!("would be refused by {}", refusal.stage),
                other => format!("{other:?}"),
            };
            println!("   #{} {now}", changed.at.seq);
        }
        Found::Commit(commit) => {
            let why = commit.because.iter().map(|because| match because {
                Because::Refused => "would not be there".to_owned(),
                Because::Read { resource, from } => format!("read {resource} from #{from}"),
                other => format!("{other:?}"),
            });
            println!("   commit #{}: {}", commit.at.seq, why.collect::<Vec<_>>().join(", "));
        }
        other => println!("   {other:?}"),
    }
}
