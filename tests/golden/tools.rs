//! The tools of the exported run.

use std::sync::Arc;

use async_trait::async_trait;
use openthymos::{
    ToolContract,
    commit::Delta,
    contract::{Contract, Effect, Risk, Touches},
    host::FixedClock,
    proposal::PreconditionFault,
    tool::{Call, Reads, ToolError, ToolOutput},
    world::ResourceId,
};
use serde_json::{Value, json};

fn text<'a>(args: &'a Value, name: &str) -> &'a str {
    args.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn contract(name: &str, effect: Effect, risk: Risk, touches: Touches, properties: Value) -> Contract {
    Contract {
        compensable: effect == Effect::External,
        description: format!("The golden vectors' {name}"),
        effect,
        name: name.parse().unwrap(),
        risk,
        schema: json!({"type": "object", "properties": properties}),
        touches,
        version: "1".into(),
    }
}

/// Sets a key of the world, or removes it when the value is null.
pub struct Set;

fn key(args: &Value) -> Option<ResourceId> {
    ResourceId::new("kv", text(args, "key")).ok()
}

#[async_trait]
impl ToolContract for Set {
    fn contract(&self) -> Contract {
        contract("kv_set", Effect::Write, Risk::Low, Touches::World, json!({"key": {}, "value": {}}))
    }

    fn reads(&self, args: &Value) -> Vec<ResourceId> {
        key(args).into_iter().collect()
    }

    fn precondition(&self, args: &Value, _: &Reads) -> Result<(), PreconditionFault> {
        if key(args).is_some() { Ok(()) } else { Err(PreconditionFault { code: "no_key".into() }) }
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        let id = key(&call.args).ok_or_else(|| ToolError::NotDone("no key".into()))?;
        let value = call.args.get("value").cloned().unwrap_or_default();
        let delta = match (call.reads.version(&id), value.is_null()) {
            (0, _) => Delta::none().create(id, value),
            (version, true) => Delta::none().delete(id, version),
            (version, false) => Delta::none().replace(id, version, value),
        };
        Ok(ToolOutput::new("set").with_delta(delta))
    }
}

/// Pays: an effect outside, which ends as the arguments say.
pub struct Pay(pub Arc<FixedClock>);

#[async_trait]
impl ToolContract for Pay {
    fn contract(&self) -> Contract {
        contract("pay", Effect::External, Risk::High, Touches::Host, json!({"amount": {}, "ends": {}, "invoice": {}}))
    }

    fn idempotency_key(&self, args: &Value) -> Option<String> {
        Some(text(args, "invoice").to_owned())
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        self.0.advance_ms(250);
        let invoice = text(&call.args, "invoice");
        match text(&call.args, "ends") {
            "not_done" => Err(ToolError::NotDone("the bank is closed".into())),
            "failed" => Err(ToolError::Failed("connection reset".into())),
            _ => {
                let paid = ResourceId::new("paid", invoice).map_err(|error| ToolError::Failed(error.to_string()))?;
                let output = json!({"receipt": 9_007_199_254_740_993_u64});
                let undo = json!({"invoice": invoice});
                Ok(ToolOutput::new(output)
                    .with_delta(Delta::none().create(paid, true.into()))
                    .undone_by("refund".parse().map_err(|_| ToolError::Failed("no name".into()))?, undo))
            }
        }
    }
}

/// Needs approval, since its risk is critical.
pub struct Wipe;

#[async_trait]
impl ToolContract for Wipe {
    fn contract(&self) -> Contract {
        contract("wipe", Effect::Irreversible, Risk::Critical, Touches::Host, json!({}))
    }

    async fn call(&self, _: Call) -> Result<ToolOutput, ToolError> {
        Err(ToolError::NotDone("never approved".into()))
    }
}
