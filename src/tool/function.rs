//! Tools from functions: a name, an effect, a risk, and a struct for the arguments.

use std::{marker::PhantomData, sync::Arc};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Call, ToolContract, ToolError, ToolOutput, blocking};
use crate::contract::{ArgumentFault, Contract, Effect, NameError, Risk, ToolName, Touches};

/// Starts a tool from a function.
///
/// ```
/// use openthymos::contract::{Effect, Risk};
/// use openthymos::tool::{ToolOutput, tool};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Add { a: i64, b: i64 }
///
/// let add = tool("add", Effect::Read, Risk::Low)?.function(|args: Add, _| Ok(ToolOutput::new(args.a + args.b)));
/// # Ok::<(), openthymos::contract::NameError>(())
/// ```
///
/// # Errors
/// When the name cannot name a tool.
pub fn tool(name: &str, effect: Effect, risk: Risk) -> Result<FnToolBuilder, NameError> {
    Ok(FnToolBuilder {
        contract: Contract {
            compensable: false,
            description: String::new(),
            effect,
            name: ToolName::new(name)?,
            risk,
            schema: Value::Null,
            touches: if effect == Effect::Read { Touches::World } else { Touches::Host },
            version: "1".into(),
        },
        inline: false,
    })
}

/// A tool from a function, while it is described.
#[derive(Debug, Clone)]
pub struct FnToolBuilder {
    contract: Contract,
    inline: bool,
}

impl FnToolBuilder {
    /// Says what the tool does, for the model.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.contract.description = description.into();
        self
    }

    /// Sets the tool's version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.contract.version = version.into();
        self
    }

    /// Says that the function touches nothing but the world: its whole effect is the delta that it returns.
    #[must_use]
    pub fn world_only(mut self) -> Self {
        self.contract.touches = Touches::World;
        self
    }

    /// Says that the tool touches the host, as one that reads files does: its output does not follow from the world.
    #[must_use]
    pub fn host(mut self) -> Self {
        self.contract.touches = Touches::Host;
        self
    }

    /// Says that calls can be undone.
    #[must_use]
    pub fn compensable(mut self) -> Self {
        self.contract.compensable = true;
        self
    }

    /// Runs the function on the caller's thread, for functions that neither wait nor loop: no deadline can stop it.
    #[must_use]
    pub fn inline(mut self) -> Self {
        self.inline = true;
        self
    }

    /// Finishes the tool. The arguments' schema comes from `A`.
    pub fn function<A, F>(self, function: F) -> FnTool<A, F>
    where
        A: DeserializeOwned + JsonSchema,
        F: Fn(A, &Call) -> Result<ToolOutput, ToolError> + Send + Sync + 'static,
    {
        let inline = self.inline;
        FnTool { contract: self.contract::<A>(), inline, function: Arc::new(function), args: PhantomData }
    }

    /// The contract alone, for a tool that implements [`ToolContract`] itself. The arguments' schema comes from `A`.
    pub fn contract<A: JsonSchema>(mut self) -> Contract {
        let mut schema = schemars::schema_for!(A);
        // The Rust name of the struct says nothing to a model, and would change the contract's hash when it changes.
        schema.remove("title");
        self.contract.schema = schema.to_value();
        self.contract
    }
}

/// A tool made from a function by [`tool`].
pub struct FnTool<A, F> {
    contract: Contract,
    inline: bool,
    function: Arc<F>,
    args: PhantomData<fn(A)>,
}

/// Reads arguments into the tool's own type.
pub(super) fn arguments<A: DeserializeOwned>(args: &Value) -> Result<A, ArgumentFault> {
    A::deserialize(args).map_err(|_| ArgumentFault { keyword: "deserialize".into(), pointer: String::new() })
}

#[async_trait]
impl<A, F> ToolContract for FnTool<A, F>
where
    A: DeserializeOwned + JsonSchema + 'static,
    F: Fn(A, &Call) -> Result<ToolOutput, ToolError> + Send + Sync + 'static,
{
    fn contract(&self) -> Contract {
        self.contract.clone()
    }

    fn checks_arguments(&self) -> bool {
        true
    }

    fn check_arguments(&self, args: &Value) -> Result<(), ArgumentFault> {
        arguments::<A>(args).map(drop)
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        let run = |function: &F, call: &Call| {
            let args = arguments(&call.args).map_err(|fault| ToolError::NotDone(fault.to_string()))?;
            function(args, call)
        };
        if self.inline {
            return run(&self.function, &call);
        }
        let function = Arc::clone(&self.function);
        let spawn = Arc::clone(&call.spawn);
        blocking(&spawn, move || run(&function, &call)).await
    }
}
