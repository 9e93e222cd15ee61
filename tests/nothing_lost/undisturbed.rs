//! A script without faults: the model that every case with one is held against.

use std::{collections::BTreeSet, sync::Arc};

use futures::executor::block_on;
use openthymos::ledger::{Entry, LedgerStore, Position};

use super::{
    audit::audit,
    host::{Failed, Host, Process, Told},
    outside::Happened,
    past::Past,
    script::Step,
};
use crate::common::faulty::{Fault, FaultyLedger, Op};

pub struct Undisturbed {
    pub script: &'static [Step],
    pub trace: Vec<Op>,
    /// How many operations it took to open the ledger.
    pub opening: usize,
    pub told: Vec<Told>,
    pub log: Vec<Entry>,
    pub effects: Vec<Happened>,
    /// The resources that it made.
    pub made: BTreeSet<String>,
    /// The calls that it leaves in doubt.
    pub in_doubt: BTreeSet<u64>,
}

impl Undisturbed {
    /// Plays a script on a ledger in memory.
    pub fn new(script: &'static [Step]) -> Self {
        let mut host = Host::new(script);
        let ledger = Arc::new(FaultyLedger::new(&host.fixture.ledger, u64::MAX, Fault::Full));
        host.outside.watches(Some(ledger.clone()));
        let (mut opening, mut trace) = (0, vec![]);
        let count = |opened| if opened { opening = ledger.trace().len() } else { trace = ledger.trace() };
        let normal = Self::on(&mut host, ledger.clone(), script, count);
        Self { opening, trace, ..normal }
    }

    /// Plays a script on a ledger. Calls `counts` with true once that is open, and with false at the end.
    pub fn on(
        host: &mut Host,
        ledger: Arc<dyn LedgerStore>,
        script: &'static [Step],
        mut counts: impl FnMut(bool),
    ) -> Self {
        let (mut process, mut told) = (None, vec![]);
        block_on(play(host, ledger, script, &mut process, &mut told, || counts(true))).unwrap();
        counts(false);
        let runtime = process.unwrap().runtime;
        let runs = audit(&runtime, host);
        Self {
            script,
            trace: vec![],
            opening: 0,
            told,
            log: log(&**runtime.ledger()),
            effects: host.outside.effects(),
            made: runs.iter().flat_map(|past| past.made.clone()).collect(),
            in_doubt: runs.iter().flat_map(Past::in_doubt).map(|(_, number)| number).collect(),
        }
    }

    /// What is on record when operation `at` fails, and with `whole`, when it was stored all the same.
    pub fn stored(&self, at: usize, whole: bool) -> &[Entry] {
        let entries = |op: &Op| if let Op::Append(entries) = op { *entries } else { 0 };
        &self.log[..self.trace[..at + usize::from(whole)].iter().map(entries).sum()]
    }

    /// The effects that happened before operation `at` began.
    pub fn effects_before(&self, at: usize) -> Vec<Happened> {
        self.effects.iter().filter(|effect| effect.after <= at as u64).copied().collect()
    }
}

/// Opens a runtime and takes every step of a script, up to the first error.
pub async fn play(
    host: &mut Host,
    ledger: Arc<dyn LedgerStore>,
    script: &[Step],
    process: &mut Option<Process>,
    told: &mut Vec<Told>,
    opened: impl FnOnce(),
) -> Result<(), Failed> {
    let process = process.insert(Process { runtime: host.open(ledger).await?, runs: [None, None] });
    opened();
    for step in script {
        told.push(host.take(process, *step).await?);
    }
    Ok(())
}

/// Every entry of a ledger.
pub fn log(ledger: &dyn LedgerStore) -> Vec<Entry> {
    block_on(ledger.scan(Position(0), usize::MAX)).unwrap().into_iter().map(|(_, entry)| entry).collect()
}
