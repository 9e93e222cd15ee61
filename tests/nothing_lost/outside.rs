//! What tools did to the world outside of the ledger, which no crash undoes, and the tools that do it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use openthymos::{
    canon::{FileHash, ProposalId},
    commit::Delta,
    contract::{Contract, Effect, Risk, ToolName, Touches},
    host::Spawn,
    runtime::Run,
    tool::{Call, Reads, ToolContract, ToolError, ToolOutput},
    writ::Amounts,
};
use serde_json::{Value, json};

use crate::common::{faulty::FaultyLedger, kv};

/// An effect: which proposal had it, and the number that its arguments name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happened {
    pub proposal: ProposalId,
    pub number: u64,
    /// How many operations of the ledger had begun before it.
    pub after: u64,
}

#[derive(Default)]
struct State {
    effects: Vec<Happened>,
    ledger: Option<Arc<FaultyLedger>>,
    cancels: Option<Run>,
}

/// The world outside of one ledger.
#[derive(Default)]
pub struct Outside(Mutex<State>);

impl Outside {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every effect, in the order in which they happened.
    pub fn effects(&self) -> Vec<Happened> {
        self.state().effects.clone()
    }

    pub fn times(&self, number: u64) -> usize {
        self.state().effects.iter().filter(|effect| effect.number == number).count()
    }

    /// Lets tools end the process when this ledger says so.
    pub fn watches(&self, ledger: Option<Arc<FaultyLedger>>) {
        self.state().ledger = ledger;
    }

    /// The run that a tool cancels while it runs.
    pub fn may_cancel(&self, run: Option<Run>) {
        self.state().cancels = run;
    }

    fn happened(&self, proposal: ProposalId, number: u64) {
        let mut state = self.state();
        let after = state.ledger.as_ref().map_or(u64::MAX, |ledger| ledger.operations());
        state.effects.push(Happened { proposal, number, after });
    }

    async fn pause(&self) {
        let ledger = self.state().ledger.clone();
        if let Some(ledger) = ledger {
            ledger.pause().await;
        }
    }
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    Done,
    NotDone,
    Failed,
    Panics,
    BadDelta,
    Postcondition,
    Overruns,
    TimesOut,
    Cancelled,
}

/// A tool of which the name says what it is.
pub struct Tool {
    name: &'static str,
    effect: Effect,
    host: bool,
    ends: Ends,
    /// Whether the last two digits of the number are a business key.
    keyed: bool,
    /// Whether it can tell later what it did.
    knows: bool,
    cost: Amounts,
    outside: Arc<Outside>,
}

const COST: Amounts = Amounts { usd_millicents: 7, ..Amounts::ONE_CALL };

impl Tool {
    /// `note…` touches the world alone, `pay…` the host; what follows says how it ends.
    pub fn named(name: &'static str, outside: &Arc<Outside>) -> Arc<dyn ToolContract> {
        let (kind, manner) = name.split_once('_').unwrap_or((name, ""));
        let ends = match manner.trim_start_matches("keyed_").trim_end_matches("_knows") {
            "not_done" => Ends::NotDone,
            "fails" => Ends::Failed,
            "panics" => Ends::Panics,
            "bad_delta" => Ends::BadDelta,
            "postcondition" => Ends::Postcondition,
            "overruns" => Ends::Overruns,
            "times_out" => Ends::TimesOut,
            "cancelled" => Ends::Cancelled,
            _ => Ends::Done,
        };
        let effect = match kind {
            "look" => Effect::Read,
            "banned" => Effect::Irreversible,
            _ => Effect::Write,
        };
        let cost = if kind == "dear" { Amounts { usd_millicents: 1 << 40, ..COST } } else { COST };
        let (host, keyed) = (matches!(kind, "pay" | "ask" | "banned" | "dear"), manner.contains("keyed"));
        let outside = Arc::clone(outside);
        Arc::new(Self { name, effect, host, ends, keyed, knows: manner.ends_with("knows"), cost, outside })
    }
}

/// Whether a tool leaves its effect in doubt by itself.
pub fn leaves_doubt(tool: &str) -> bool {
    tool.starts_with("pay") && ["fails", "panics", "times_out", "cancelled"].iter().any(|ends| tool.contains(ends))
}

fn number(args: &Value) -> u64 {
    args.get("amount").and_then(Value::as_u64).unwrap_or_default()
}

#[async_trait]
impl ToolContract for Tool {
    fn contract(&self) -> Contract {
        Contract {
            compensable: true,
            description: "a tool of a test".into(),
            effect: self.effect,
            name: ToolName::new(self.name).unwrap(),
            risk: if self.name == "ask" { Risk::Critical } else { Risk::Low },
            schema: json!({"type": "object"}),
            touches: if self.host { Touches::Host } else { Touches::World },
            version: "1".into(),
        }
    }

    fn cost(&self, _: &Value) -> Amounts {
        self.cost
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(if self.ends == Ends::TimesOut { 1 } else { 3_600 })
    }

    fn idempotency_key(&self, args: &Value) -> Option<String> {
        self.keyed.then(|| format!("{}", number(args) % 100))
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        let number = number(&call.args);
        self.outside.pause().await;
        if self.host && self.ends != Ends::NotDone {
            self.outside.happened(call.proposal, number);
        }
        self.outside.pause().await;
        let done = ToolOutput::new(json!({"did": number}));
        let id = kv(&number.to_string());
        match self.ends {
            _ if self.effect == Effect::Read => Ok(done),
            Ends::Done | Ends::Postcondition => Ok(done.with_delta(Delta::none().create(id, json!(number)))),
            Ends::NotDone => Err(ToolError::NotDone("closed".into())),
            Ends::Failed => Err(ToolError::Failed("lost".into())),
            Ends::Panics => std::panic::resume_unwind(Box::new("told to panic")),
            Ends::BadDelta => Ok(done.with_delta(Delta::none().replace(id, 7, json!(number)))),
            Ends::Overruns => Ok(ToolOutput { cost: Some(Amounts { usd_millicents: 8, ..COST }), ..done }),
            Ends::TimesOut => futures::future::pending().await,
            Ends::Cancelled => {
                let run = self.outside.state().cancels.take();
                run.iter().for_each(Run::cancel);
                futures::future::pending().await
            }
        }
    }

    fn postcondition(&self, _: &Value, _: &Reads, _: &ToolOutput) -> Result<(), String> {
        if self.ends == Ends::Postcondition { Err("not as it should be".into()) } else { Ok(()) }
    }

    async fn reconcile(&self, args: &Value, _: Option<FileHash>, _: &Arc<dyn Spawn>) -> Option<bool> {
        self.knows.then(|| self.outside.times(number(args)) > 0)
    }
}
