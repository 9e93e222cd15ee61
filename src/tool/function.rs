//! Tools from functions: a name, an effect, a risk, and a struct for the arguments.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Call, ToolContract, ToolError, ToolOutput, blocking};
use crate::{
    canon::FileHash,
    contract::{ArgumentFault, Contract, Effect, NameError, Risk, ToolName, Touches},
    host::Spawn,
    writ::Amounts,
};

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
        FnTool { contract: self.contract::<A>(), inline, function: Arc::new(function), says: Says::default() }
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
    says: Says<A>,
}

/// What else a tool says of a call from its arguments.
struct Says<A> {
    cost: Option<Box<Say<A, Amounts>>>,
    key: Option<Box<Say<A, String>>>,
    known: Option<Arc<Say<A, Option<bool>>>>,
}

type Say<A, T> = dyn Fn(&A) -> T + Send + Sync;

impl<A> Default for Says<A> {
    fn default() -> Self {
        Self { cost: None, key: None, known: None }
    }
}

impl<A, F> FnTool<A, F> {
    /// Says what a call costs at most; without it, one call. See [`ToolContract::cost`].
    #[must_use]
    pub fn costing(mut self, cost: impl Fn(&A) -> Amounts + Send + Sync + 'static) -> Self {
        self.says.cost = Some(Box::new(cost));
        self
    }

    /// Names the business key under which the effect may happen once. See [`ToolContract::idempotency_key`].
    #[must_use]
    pub fn once_per(mut self, key: impl Fn(&A) -> String + Send + Sync + 'static) -> Self {
        self.says.key = Some(Box::new(key));
        self
    }

    /// Finds out whether an effect in doubt happened; it may block. See [`ToolContract::reconcile`].
    #[must_use]
    pub fn reconciled_by(mut self, known: impl Fn(&A) -> Option<bool> + Send + Sync + 'static) -> Self {
        self.says.known = Some(Arc::new(known));
        self
    }
}

/// Reads arguments into the tool's own type.
pub(super) fn arguments<A: DeserializeOwned>(args: &Value) -> Result<A, ArgumentFault> {
    A::deserialize(args).map_err(|_| ArgumentFault { keyword: "deserialize".into(), pointer: String::new() })
}

#[async_trait]
impl<A, F> ToolContract for FnTool<A, F>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
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

    fn cost(&self, args: &Value) -> Amounts {
        let cost = self.says.cost.as_ref().and_then(|cost| Some(cost(&arguments(args).ok()?)));
        cost.unwrap_or(Amounts::ONE_CALL)
    }

    fn idempotency_key(&self, args: &Value) -> Option<String> {
        self.says.key.as_ref().and_then(|key| Some(key(&arguments(args).ok()?)))
    }

    async fn reconcile(&self, args: &Value, _: Option<FileHash>, spawn: &Arc<dyn Spawn>) -> Option<bool> {
        let (known, args) = (Arc::clone(self.says.known.as_ref()?), arguments::<A>(args).ok()?);
        blocking(spawn, move || Ok(known(&args))).await.ok()?
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
