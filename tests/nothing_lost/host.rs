//! The host of a script: what a process keeps in memory, what the host keeps anyway, and how it takes each step.

use std::sync::Arc;

use openthymos::{
    canon::TrajectoryId,
    contract::Effect,
    crypto::Role,
    host::{Host as Machine, SeededEntropy},
    intent::{Intent, SealedIntent},
    ledger::{LedgerStore, record::HappenedVerdict},
    runtime::{Limits, Resolution, Run, Runtime, StartError, Submitted, Summary},
    writ::WritChain,
};
use serde_json::json;

use super::{
    outside::{Outside, Tool},
    past::Past,
    planner::Planner,
    script::{Asked, Step, Who},
};
use crate::common::{AGENT, CHILD, FastTimer, Fixture, ISSUER, child, key, named, signed, writ};

const OPERATOR: u8 = 7;

/// What a host was told when it took a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    Done,
    Submitted(Submitted),
    Drove(Summary),
}

/// An error that the host was told, in words.
pub type Failed = String;

/// The machine, and what a host keeps outside of its process.
pub struct Host {
    pub fixture: Fixture,
    pub outside: Arc<Outside>,
    pub chains: [WritChain; 2],
    /// The runs that were acknowledged.
    pub runs: [Option<TrajectoryId>; 2],
    pub tools: Vec<&'static str>,
}

/// What is gone with the process.
pub struct Process {
    pub runtime: Runtime,
    pub runs: [Option<Run>; 2],
}

impl Host {
    pub fn new(script: &[Step]) -> Self {
        let fixture = Fixture::default();
        let fixture = Fixture { host: Machine { timer: Arc::new(FastTimer), ..fixture.host.clone() }, ..fixture };
        let root = signed(writ().effects_up_to(Effect::External));
        let below = child(&root, |writ| writ);
        let mut tools: Vec<_> = script.iter().flat_map(|step| step.asked()).map(|(tool, _)| tool).collect();
        tools.sort_unstable();
        tools.dedup();
        tools.retain(|tool| *tool != "unknown");
        Self { fixture, outside: Arc::default(), chains: [root, below], runs: [None; 2], tools }
    }

    pub async fn open(&self, ledger: Arc<dyn LedgerStore>) -> Result<Runtime, Failed> {
        let tools = self.tools.iter().map(|name| Tool::named(name, &self.outside));
        let builder = self.fixture.builder().trust(named(OPERATOR), [Role::Approver]);
        builder.shared_ledger(ledger).tools(tools).open().await.map_err(told)
    }

    /// Takes a step.
    pub async fn take(&mut self, process: &mut Process, step: Step) -> Result<Told, Failed> {
        match step {
            Step::Start(who) => {
                let subject = key(if who == Who::Parent { AGENT } else { CHILD });
                let run = process.runtime.start("a task", &self.chains[who as usize], &subject).await.map_err(told)?;
                self.runs[who as usize] = Some(run.id());
                process.runs[who as usize] = Some(run);
            }
            Step::Sealed(who, asked) => {
                let run = self.run(process, who, asked)?;
                return run.submit_sealed(sealed(asked, 0)).await.map(Told::Submitted).map_err(told);
            }
            Step::Plain(who, asked) => {
                let run = self.run(process, who, asked)?;
                return run.submit(intent(asked)).await.map(Told::Submitted).map_err(told);
            }
            Step::Drive(who, lists) => {
                let mut planner = Planner::new(lists);
                let run = self.run(process, who, ("", 0))?;
                return run.drive(&mut planner, Limits::default()).await.map(Told::Drove).map_err(told);
            }
            Step::Revoke => {
                let writ = self.chains[1].id();
                process.runtime.revoke(writ, "lost", "issuer", &key(ISSUER)).await.map_err(told)?;
            }
            Step::Reopen => process.runtime = self.open(Arc::clone(process.runtime.ledger())).await?,
            Step::Resume(who) | Step::TakeOver(who) => {
                let Some(id) = self.runs[who as usize] else { return Err("no such run".into()) };
                let old = process.runs[who as usize].as_ref().filter(|_| matches!(step, Step::TakeOver(_)));
                let taken = match old {
                    Some(old) => process.runtime.take_over(old).await,
                    None => process.runtime.resume(&id).await,
                };
                process.runs[who as usize] = Some(taken.map_err(told)?);
            }
            Step::Settle(who) => self.settle(process, who, |_| true).await?,
            Step::Close(who) => {
                self.run(process, who, ("", 0))?.close().await.map_err(told)?;
            }
        }
        Ok(Told::Done)
    }

    /// Settles by an operator, who looks at the world outside, those effects in doubt of a run that are `wanted`.
    pub async fn settle(&self, process: &mut Process, who: Who, wanted: impl Fn(u64) -> bool) -> Result<(), Failed> {
        let Some(id) = self.runs[who as usize] else { return Ok(()) };
        let past = Past::read(&**process.runtime.ledger(), &id).await.map_err(told)?;
        let open: Vec<_> = past.in_doubt().into_iter().filter(|(_, number)| wanted(*number)).collect();
        for (dispatch, number) in &open {
            let happened = self.outside.times(*number) > 0;
            let verdict = if happened { HappenedVerdict::Happened } else { HappenedVerdict::NotDone };
            let resolution = Resolution { dispatch: *dispatch, verdict, note: None, name: "olga" };
            process.runtime.resolve(&id, resolution, &key(OPERATOR)).await.map_err(told)?;
        }
        if open.is_empty() {
            return Ok(());
        }
        match process.runtime.resume(&id).await {
            Ok(run) => process.runs[who as usize] = Some(run),
            Err(StartError::Ended(_)) => process.runs[who as usize] = None,
            Err(error) => return Err(told(error)),
        }
        Ok(())
    }

    fn run(&self, process: &Process, who: Who, (tool, _): Asked) -> Result<Run, Failed> {
        let run = process.runs[who as usize].clone().ok_or("no such run")?;
        self.outside.may_cancel(tool.contains("cancelled").then(|| run.clone()));
        Ok(run)
    }
}

pub fn intent((tool, number): Asked) -> Intent {
    Intent::act(tool, json!({"amount": number}))
}

/// The intent that the host keeps, or makes when that came to nothing.
pub fn sealed(asked: Asked, attempt: u64) -> SealedIntent {
    intent(asked).seal(&SeededEntropy::new(1_000 * (attempt + 1) + asked.1)).unwrap()
}

fn told(error: impl std::fmt::Display) -> Failed {
    error.to_string()
}
