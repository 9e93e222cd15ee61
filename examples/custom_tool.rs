//! A tool that keeps state in the world, checks itself, and can be undone.

use async_trait::async_trait;
use openthymos::{
    Intent, Runtime, ToolContract,
    commit::Delta,
    contract::{Contract, Effect, Risk, ToolName, Touches},
    crypto::{NamedKey, Role, SecretKey},
    ledger::MemoryLedger,
    proposal::PreconditionFault,
    tool::{Call, Reads, ToolError, ToolOutput},
    world::ResourceId,
    writ::{Amounts, Scope, WritBuilder},
};
use serde_json::{Value, json};

/// Counts stock: the world holds one resource per article.
struct Stock {
    name: ToolName,
}

fn article(args: &Value) -> Option<ResourceId> {
    ResourceId::new("stock", args.get("article")?.as_str()?).ok()
}

fn number(args: &Value) -> i64 {
    args.get("number").and_then(Value::as_i64).unwrap_or(0)
}

fn count(reads: &Reads, id: &ResourceId) -> i64 {
    reads.value(id).and_then(Value::as_i64).unwrap_or(0)
}

#[async_trait]
impl ToolContract for Stock {
    fn contract(&self) -> Contract {
        Contract {
            compensable: true,
            description: "Adds to, or with a negative number takes from, the stock of an article".into(),
            effect: Effect::Write,
            name: self.name.clone(),
            risk: Risk::Low,
            schema: json!({
                "type": "object",
                "properties": { "article": { "type": "string", "minLength": 1 }, "number": { "type": "integer" } },
                "required": ["article", "number"],
                "additionalProperties": false
            }),
            touches: Touches::World,
            version: "1".into(),
        }
    }

    // What `call` may see of the world; it is recorded with the decision.
    fn reads(&self, args: &Value) -> Vec<ResourceId> {
        article(args).into_iter().collect()
    }

    // Checked before anything happens: a refusal, not a failure.
    fn precondition(&self, args: &Value, reads: &Reads) -> Result<(), PreconditionFault> {
        let left = article(args).map_or(0, |id| count(reads, &id)) + number(args);
        if left < 0 { Err(PreconditionFault { code: "not_enough_stock".into() }) } else { Ok(()) }
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        let id = article(&call.args).ok_or_else(|| ToolError::NotDone("no such article".into()))?;
        let total = json!(count(&call.reads, &id) + number(&call.args));
        let delta = match call.reads.version(&id) {
            0 => Delta::none().create(id, total.clone()),
            version => Delta::none().replace(id, version, total.clone()),
        };
        let undo = json!({ "article": call.args.get("article"), "number": -number(&call.args) });
        Ok(ToolOutput::new(total).with_delta(delta).undone_by(self.name.clone(), undo))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    openthymos::host::block_on(async {
        let (root, agent) = (SecretKey::generate()?, SecretKey::generate()?);
        let operator = NamedKey::new("operator", root.public_key());
        let runtime = Runtime::builder()
            .ledger(MemoryLedger::new())
            .signer("warehouse", SecretKey::generate()?)
            .trust(operator.clone(), [Role::WritIssuer])
            .tool(Stock { name: "stock_add".parse()? })
            .open()
            .await?;
        let writ = WritBuilder::root(operator, NamedKey::new("agent", agent.public_key()))
            .stores([runtime.store_id()])
            .scopes([Scope::tools("stock_*".parse()?)])
            .effects_up_to(Effect::Write)
            .budget(Amounts { tool_calls: 10, wall_clock_ms: 60_000, ..Amounts::ZERO })
            .sign(&root)
            .await?;
        let run = runtime.start("keep the stock", &writ, &agent).await?;
        for number in [5, -2, -9] {
            let intent = Intent::act("stock_add", json!({ "article": "bolt", "number": number }));
            println!("{number:+}: {:?}", run.submit(intent).await?);
        }
        let world = run.world().await;
        for (id, resource) in world.iter() {
            println!("{id} = {:?} (version {})", resource.value, resource.version);
        }
        println!("world root {}", world.root());
        Ok(())
    })
}
