use async_trait::async_trait;
use serde_json::Value;

use super::{Call, ToolContract, ToolError, ToolOutput};
use crate::{
    contract::{ArgumentFault, Contract},
    writ::ChildRequest,
};

/// What stands for delegations among the tools: it is asked as they are, and never called, since starting a child is no call.
pub(super) struct Delegate;

#[async_trait]
impl ToolContract for Delegate {
    fn contract(&self) -> Contract {
        Contract::delegate()
    }

    fn checks_arguments(&self) -> bool {
        true
    }

    fn check_arguments(&self, args: &Value) -> Result<(), ArgumentFault> {
        ChildRequest::from_args(args).map(drop)
    }

    async fn call(&self, _call: Call) -> Result<ToolOutput, ToolError> {
        Err(ToolError::NotDone("a delegation is no call".into()))
    }
}
