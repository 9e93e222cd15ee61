//! A tool that ends in every way that a tool can end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use openthymos::{
    contract::{Contract, Effect, Risk, ToolName, Touches},
    host::Timer,
    tool::{Call, ToolContract, ToolError, ToolOutput},
    writ::Amounts,
};
use serde_json::{Value, json};

use crate::ledger::{Dice, once};

/// What the tool panics with.
pub const PANIC: &str = "the tool panics";
/// The ways to end. `hang` ends by its deadline.
pub const ENDS: [&str; 7] = ["done", "done", "not_done", "failed", "panics", "overruns", "hangs"];

pub struct Payer {
    pub touches: Touches,
    pub dice: Dice,
    pub calls: Arc<AtomicU64>,
}

impl Payer {
    pub fn name(touches: Touches) -> &'static str {
        if touches == Touches::Host { "pay_host" } else { "pay_world" }
    }
}

#[async_trait]
impl ToolContract for Payer {
    fn contract(&self) -> Contract {
        Contract {
            compensable: true,
            description: "pays".into(),
            effect: Effect::Write,
            name: ToolName::new(Self::name(self.touches)).unwrap(),
            risk: Risk::Low,
            schema: json!({"type": "object"}),
            touches: self.touches,
            version: "1".into(),
        }
    }

    fn cost(&self, args: &Value) -> Amounts {
        Amounts { usd_millicents: args["usd"].as_u64().unwrap(), ..Amounts::ONE_CALL }
    }

    fn deadline(&self) -> Duration {
        Duration::from_millis(3)
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.dice.wait().await;
        let quoted = self.cost(&call.args);
        match call.args["end"].as_str().unwrap() {
            "done" => Ok(ToolOutput { cost: Some(quoted), ..ToolOutput::new("done") }),
            "not_done" => Err(ToolError::NotDone("told to".into())),
            "failed" => Err(ToolError::Failed("told to".into())),
            "panics" => panic!("{PANIC}"),
            "overruns" => {
                let cost = Amounts { usd_millicents: quoted.usd_millicents + 1, ..quoted };
                Ok(ToolOutput { cost: Some(cost), ..ToolOutput::new("too much") })
            }
            _ => futures::future::pending().await,
        }
    }
}

/// A timer that fires after a few polls.
pub struct Impatient(pub Dice);

impl Timer for Impatient {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        let dice = self.0.clone();
        Box::pin(async move {
            for _ in 0..4 + dice.below(8) {
                once().await;
            }
        })
    }
}
