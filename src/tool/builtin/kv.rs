//! Keys and values in the world: resources of kind `kv`, one for each key.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{Call, Reads, ToolContract, ToolError, ToolOutput, function::arguments},
    stock, stock_name,
};
use crate::{
    commit::Delta,
    contract::{ArgumentFault, Contract, Effect, Risk},
    proposal::PreconditionFault,
    world::ResourceId,
};

const SET: &str = "kv_set";
const DELETE: &str = "kv_delete";

/// The tools `kv_get`, `kv_set` and `kv_delete`. They touch only the world, and each change can be undone.
pub fn kv() -> Vec<Arc<dyn ToolContract>> {
    vec![Arc::new(KvTool::get()), Arc::new(KvTool::set()), Arc::new(KvTool::delete())]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyArgs {
    /// The key: 1 to 1024 bytes of UTF-8.
    #[schemars(length(min = 1, max = 1024))]
    key: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetArgs {
    /// The key: 1 to 1024 bytes of UTF-8.
    #[schemars(length(min = 1, max = 1024))]
    key: String,
    /// The value: any JSON. Integers beyond 2^53 - 1 have to be sent as strings.
    value: Value,
}

enum Operation {
    Get,
    Set,
    Delete,
}

struct KvTool {
    contract: Contract,
    operation: Operation,
}

impl KvTool {
    fn get() -> Self {
        let contract = stock("kv_get", Effect::Read, Risk::Low)
            .describe("Reads the value that was stored under a key. Returns `found`, `value` and `version`.")
            .contract::<KeyArgs>();
        Self { contract, operation: Operation::Get }
    }

    fn set() -> Self {
        let contract = stock(SET, Effect::Write, Risk::Low)
            .world_only()
            .compensable()
            .describe("Stores a JSON value under a key, in place of the value that was there.")
            .contract::<SetArgs>();
        Self { contract, operation: Operation::Set }
    }

    fn delete() -> Self {
        let contract = stock(DELETE, Effect::Write, Risk::Low)
            .world_only()
            .compensable()
            .describe("Removes a key and its value. Refused when there is no such key.")
            .contract::<KeyArgs>();
        Self { contract, operation: Operation::Delete }
    }
}

fn parse(operation: &Operation, args: &Value) -> Result<(ResourceId, Value), ArgumentFault> {
    let (key, value) = match operation {
        Operation::Set => arguments::<SetArgs>(args).map(|args| (args.key, args.value))?,
        Operation::Get | Operation::Delete => arguments::<KeyArgs>(args).map(|args| (args.key, Value::Null))?,
    };
    let length = if key.is_empty() { "minLength" } else { "maxLength" };
    ResourceId::new("kv", &key)
        .map(|resource| (resource, value))
        .map_err(|_| ArgumentFault { keyword: length.into(), pointer: "/key".into() })
}

/// Whether the value that an undo would put back is at hand: it was not erased.
fn restorable(reads: &Reads, resource: &ResourceId) -> bool {
    reads.version(resource) == 0 || reads.value(resource).is_some()
}

#[async_trait]
impl ToolContract for KvTool {
    fn contract(&self) -> Contract {
        self.contract.clone()
    }

    fn check_arguments(&self, args: &Value) -> Result<(), ArgumentFault> {
        parse(&self.operation, args).map(drop)
    }

    fn reads(&self, args: &Value) -> Vec<ResourceId> {
        parse(&self.operation, args).map(|(resource, _)| resource).into_iter().collect()
    }

    fn precondition(&self, args: &Value, reads: &Reads) -> Result<(), PreconditionFault> {
        match (&self.operation, parse(&self.operation, args)) {
            (Operation::Delete, Ok((resource, _))) if reads.version(&resource) == 0 => {
                Err(PreconditionFault { code: "not_found".into() })
            }
            _ => Ok(()),
        }
    }

    fn compensable(&self, args: &Value, reads: &Reads) -> bool {
        parse(&self.operation, args).is_ok_and(|(resource, _)| restorable(reads, &resource))
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        let (resource, value) =
            parse(&self.operation, &call.args).map_err(|fault| ToolError::NotDone(fault.to_string()))?;
        let version = call.reads.version(&resource);
        let old = call.reads.value(&resource).cloned();
        let key = resource.id().to_owned();
        let restore = old.as_ref().map(|old| json!({ "key": key, "value": old }));
        let (output, delta, undo) = match self.operation {
            Operation::Get => {
                return Ok(ToolOutput::new(match old {
                    Some(value) => json!({ "found": true, "value": value, "version": version }),
                    None if version > 0 => json!({ "found": true, "value": null, "version": version, "erased": true }),
                    None => json!({ "found": false, "version": 0 }),
                }));
            }
            Operation::Set if version == 0 => {
                let undo = Some((stock_name(DELETE), json!({ "key": key })));
                (json!({ "created": true, "version": 1 }), Delta::none().create(resource, value), undo)
            }
            Operation::Set => (
                json!({ "created": false, "version": version.saturating_add(1) }),
                Delta::none().replace(resource, version, value),
                restore.map(|args| (stock_name(SET), args)),
            ),
            Operation::Delete if version == 0 => return Err(ToolError::NotDone(format!("key `{key}` does not exist"))),
            Operation::Delete => (
                json!({ "deleted": true, "version": version }),
                Delta::none().delete(resource, version),
                restore.map(|args| (stock_name(SET), args)),
            ),
        };
        let output = ToolOutput::new(output).with_delta(delta);
        Ok(match undo {
            Some((tool, args)) => output.undone_by(tool, args),
            None => output,
        })
    }
}
