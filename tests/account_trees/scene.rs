//! A tree of writs, runs below them, and a scheduler that decides who goes on.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use futures::{executor::block_on, task::noop_waker};
use openthymos::{
    canon::{TrajectoryId, WritId},
    contract::{Effect, Touches},
    crypto::{NamedKey, Role, SecretKey},
    host::{FixedClock, Host, SeededEntropy},
    intent::Intent,
    ledger::record::FailureCause,
    replay::{Pins, run as replay},
    runtime::{Run, RunError, Runtime, StartError, Submitted},
    writ::{Amounts, Scope, ToolPattern, WritBuilder, WritChain},
};
use serde_json::json;

use crate::{
    ledger::{Dice, SlowLedger},
    tool::{ENDS, Impatient, Payer},
};

const START_MS: u64 = 1_800_000_000_000;
const ISSUER: u8 = 1;
const MAX_LEVELS: usize = 4;
const STEPS: usize = 70;

/// How often each thing happened, so that a scene in which nothing does is noticed.
#[derive(Debug, Default)]
pub struct Seen(BTreeMap<&'static str, u64>);

impl Seen {
    fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, count)| *self.0.entry(what).or_default() += count);
    }

    pub fn says_something(&self) {
        for what in [
            "committed",
            "not done",
            "in doubt",
            "overrun",
            "timed out",
            "panicked",
            "refused",
            "cancelled",
            "dropped",
            "restarted",
            "resumed",
            "conflict",
            "stale",
            "a full account",
        ] {
            assert!(self.0.get(what).is_some_and(|count| *count >= 20), "{what}: {self:?}");
        }
    }
}

enum Task {
    Submitted(Result<Submitted, RunError>),
    Started(usize, Result<Run, StartError>),
    Resumed(Result<Run, StartError>),
}

type Pending = Pin<Box<dyn Future<Output = Task>>>;

pub struct Scene {
    dice: Dice,
    ledger: Arc<SlowLedger>,
    host: Host,
    calls: Arc<AtomicU64>,
    /// Each writ's chain, and the seed of its subject's key.
    writs: Vec<(WritChain, u8)>,
    runtime: Runtime,
    /// The runs that this process holds, with their writs; a run that is behind the ledger is let go.
    runs: Vec<(Run, usize)>,
    tasks: Vec<Pending>,
    /// Every run that was ever started, and its writ.
    known: BTreeMap<TrajectoryId, usize>,
    seen: Seen,
    /// Whether something was given up that only a restart sets right.
    leaked: bool,
}

impl Scene {
    pub fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let ledger = Arc::new(SlowLedger::new(dice.clone()));
        let host = Host {
            clock: Arc::new(FixedClock::at(START_MS)),
            entropy: Arc::new(SeededEntropy::new(seed)),
            timer: Arc::new(Impatient(dice.clone())),
            ..Host::default()
        };
        let calls = Arc::default();
        let writs = tree(&dice);
        ledger.wild.store(false, Ordering::Relaxed);
        let runtime = open(&ledger, &host, &dice, &calls);
        ledger.wild.store(true, Ordering::Relaxed);
        Self {
            dice,
            ledger,
            host,
            calls,
            writs,
            runtime,
            runs: vec![],
            tasks: vec![],
            known: BTreeMap::new(),
            seen: Seen::default(),
            leaked: false,
        }
    }

    pub fn play(mut self) -> Seen {
        let mut stored = 0;
        for _ in 0..STEPS {
            self.step();
            let now = self.ledger.stored.load(Ordering::Relaxed);
            if now != stored {
                stored = now;
                self.no_account_is_overdrawn();
            }
        }
        self.settle();
        self.no_account_is_overdrawn();
        self.accounts_are_the_sums_of_entries();
        self.what_is_left_can_be_spent();
        if self.writs.iter().any(|(chain, _)| self.left(chain)[0].tool_calls == 0) {
            self.seen.note("a full account");
        }
        (0..*self.ledger.conflicts.lock().unwrap()).for_each(|_| self.seen.note("conflict"));
        self.seen
    }

    fn step(&mut self) {
        match self.dice.below(40) {
            0 => self.restart(),
            1 if !self.tasks.is_empty() => {
                // Its caller goes away; the run carries the call on, or nobody does.
                drop(self.tasks.swap_remove(self.dice.below(self.tasks.len())));
                self.leaked = true;
                self.seen.note("dropped");
            }
            2 if !self.runs.is_empty() => {
                self.runs[self.dice.below(self.runs.len())].0.cancel();
                self.seen.note("cancelled");
            }
            3..6 if self.runs.len() < 6 => self.start(),
            6..14 if !self.runs.is_empty() && self.tasks.len() < 6 => self.submit(),
            _ => self.poll(),
        }
    }

    fn start(&mut self) {
        let at = self.dice.below(self.writs.len());
        let (chain, seed) = self.writs[at].clone();
        let runtime = self.runtime.clone();
        self.tasks.push(Box::pin(async move {
            Task::Started(at, runtime.start("a task", &chain, &SecretKey::from_seed(&[seed; 32])).await)
        }));
    }

    fn submit(&mut self) {
        let at = self.dice.below(self.runs.len());
        let run = self.runs[at].0.clone();
        let touches = if self.dice.below(3) == 0 { Touches::World } else { Touches::Host };
        let args = json!({"usd": self.dice.below(3), "end": ENDS[self.dice.below(ENDS.len())]});
        let intent = Intent::act(Payer::name(touches), args);
        self.tasks.push(Box::pin(async move { Task::Submitted(run.submit(intent).await) }));
    }

    fn poll(&mut self) {
        if self.tasks.is_empty() {
            return;
        }
        let at = self.dice.below(self.tasks.len());
        let waker = noop_waker();
        if let Poll::Ready(done) = self.tasks[at].as_mut().poll(&mut Context::from_waker(&waker)) {
            drop(self.tasks.swap_remove(at));
            self.done(done);
        }
    }

    fn done(&mut self, task: Task) {
        match task {
            Task::Started(writ, Ok(run)) => {
                self.known.insert(run.id(), writ);
                self.runs.push((run, writ));
            }
            Task::Resumed(Ok(run)) => {
                self.seen.note("resumed");
                let writ = self.known[&run.id()];
                self.runs.retain(|(known, _)| known.id() != run.id());
                self.runs.push((run, writ));
            }
            Task::Started(_, Err(_)) | Task::Resumed(Err(_)) => {}
            Task::Submitted(Ok(submitted)) => self.seen.note(match submitted {
                Submitted::Committed { .. } => "committed",
                Submitted::Rejected { .. } => "refused",
                Submitted::Failed { cause: FailureCause::NotDone, .. } => "not done",
                Submitted::Failed { cause: FailureCause::CostOverrun, .. } => "overrun",
                Submitted::Failed { cause: FailureCause::TimedOut, .. } => "timed out",
                Submitted::Failed { cause: FailureCause::ToolPanicked, .. } => "panicked",
                Submitted::Failed { .. } => "in doubt",
                other => panic!("{other:?}"),
            }),
            Task::Submitted(Err(_)) => {
                self.seen.note("stale");
                // Some run is behind the ledger now: all of this process are, for simplicity, taken up again.
                self.resume();
            }
        }
    }

    /// Takes up runs as they stand in the ledger, in place of the handles at hand.
    fn resume(&mut self) {
        let known: Vec<_> = self.known.keys().copied().collect();
        let Some(id) = (!known.is_empty()).then(|| known[self.dice.below(known.len())]) else { return };
        // A run has one handle at a time: what is under way on the old one would be lost.
        if self.tasks.is_empty() {
            self.runs.retain(|(run, _)| run.id() != id);
            let runtime = self.runtime.clone();
            self.tasks.push(Box::pin(async move { Task::Resumed(runtime.resume(&id).await) }));
        }
    }

    /// The process ends, and another one opens the ledger.
    fn restart(&mut self) {
        self.seen.note("restarted");
        self.tasks.clear();
        self.runs.clear();
        self.ledger.wild.store(false, Ordering::Relaxed);
        self.runtime = open(&self.ledger, &self.host, &self.dice, &self.calls);
        self.ledger.wild.store(true, Ordering::Relaxed);
        self.leaked = false;
        // A start that nobody waited for may be in the ledger all the same.
        for runs in self.ledger.accounts().values() {
            assert!(runs.keys().all(|id| self.known.contains_key(id)), "a run spends that nobody started");
        }
        let known: Vec<_> = self.known.keys().copied().collect();
        for id in known.into_iter().filter(|_| self.dice.below(2) == 0) {
            let runtime = self.runtime.clone();
            self.tasks.push(Box::pin(async move { Task::Resumed(runtime.resume(&id).await) }));
        }
    }

    /// Lets everything that was begun come to its end.
    fn settle(&mut self) {
        self.ledger.wild.store(false, Ordering::Relaxed);
        for _ in 0..10_000 {
            if self.tasks.is_empty() {
                return;
            }
            self.poll();
        }
        panic!("{} calls do not end", self.tasks.len());
    }

    /// For every writ, what is spent and held under it, by whatever run, is within its budget.
    fn no_account_is_overdrawn(&self) {
        let accounts = self.ledger.accounts();
        for (chain, _) in &self.writs {
            for (id, writ) in chain.links() {
                let used = accounts.get(&id).map_or(Amounts::ZERO, |runs| sum(runs.values()));
                // Time is measured after the fact, and is the one thing that a tool may take more of.
                let used = Amounts { wall_clock_ms: 0, ..used };
                let mut over = used;
                if used.exceeds(&writ.budget).is_some() {
                    over = used.minus(&self.overrun(&id));
                }
                assert_eq!(over.exceeds(&writ.budget), None, "{used:?} of {:?}", writ.budget);
            }
        }
    }

    /// What tools charged beyond their quotes under a writ: the one thing that no reservation can prevent.
    fn overrun(&self, writ: &WritId) -> Amounts {
        let runs = self.known.iter().filter(|(_, at)| self.writs[**at].0.links().any(|(id, _)| id == *writ));
        let overruns = runs.map(|(id, _)| overruns(&self.ledger, id)).sum();
        Amounts { usd_millicents: overruns, ..Amounts::ZERO }
    }

    /// The registers of every run say what its entries sum up to, under every writ of its chain.
    fn accounts_are_the_sums_of_entries(&self) {
        let accounts = self.ledger.accounts();
        for (id, writ) in &self.known {
            let (report, folded) = block_on(replay(&*self.ledger, id, Pins::default(), |_, _| {})).unwrap();
            assert_eq!(report.spent, folded.spent);
            for (link, _) in self.writs[*writ].0.links() {
                let (spent, held) = accounts.get(&link).and_then(|runs| runs.get(id)).copied().unwrap_or_default();
                assert_eq!((spent, held), (folded.spent, folded.held), "{id}");
            }
        }
    }

    /// What every writ of a chain has left by the registers.
    fn left(&self, chain: &WritChain) -> Vec<Amounts> {
        let accounts = self.ledger.accounts();
        let used = |id| accounts.get(&id).map_or(Amounts::ZERO, |runs| sum(runs.values()));
        chain.links().map(|(id, writ)| writ.budget.minus(&used(id))).collect()
    }

    /// Nothing is held for ever: where the registers leave room a call is carried out, and where they do not it is refused.
    fn what_is_left_can_be_spent(&mut self) {
        if self.leaked {
            self.restart();
            self.tasks.clear();
            self.ledger.wild.store(false, Ordering::Relaxed);
        }
        for at in 0..self.writs.len() {
            let (chain, seed) = self.writs[at].clone();
            let key = SecretKey::from_seed(&[seed; 32]);
            let run = block_on(self.runtime.start("a task", &chain, &key)).unwrap();
            self.known.insert(run.id(), at);
            let fits = self.left(&chain).iter().all(|left| left.tool_calls >= 1 && left.usd_millicents >= 1);
            let args = json!({"usd": 1, "end": "done"});
            let done = block_on(run.submit(Intent::act(Payer::name(Touches::Host), args))).unwrap();
            assert_eq!(matches!(done, Submitted::Committed { .. }), fits, "{done:?} with {:?}", self.left(&chain));
        }
        self.no_account_is_overdrawn();
    }
}

fn sum<'a>(accounts: impl Iterator<Item = &'a (Amounts, Amounts)>) -> Amounts {
    accounts.fold(Amounts::ZERO, |sum, (spent, held)| sum.plus(spent).plus(held))
}

/// By how much the failures of a run exceed their quotes: one each, by the tool.
fn overruns(ledger: &SlowLedger, run: &TrajectoryId) -> u64 {
    use openthymos::ledger::{Kind, LedgerStore, record::Failure};
    let entries = block_on(ledger.inner.read(run, 0, usize::MAX)).unwrap();
    let failures = entries.iter().filter(|entry| entry.header.known_kind() == Some(Kind::Failure));
    failures.filter(|entry| entry.body::<Failure>().unwrap().cause == FailureCause::CostOverrun).count() as u64
}

fn open(ledger: &Arc<SlowLedger>, host: &Host, dice: &Dice, calls: &Arc<AtomicU64>) -> Runtime {
    let tool = |touches| Payer { touches, dice: dice.clone(), calls: Arc::clone(calls) };
    let builder = Runtime::builder().shared_ledger(ledger.clone()).unsigned().host(host.clone());
    let builder = builder.trust(named(ISSUER), [Role::WritIssuer]).tool(tool(Touches::Host)).tool(tool(Touches::World));
    block_on(builder.open()).unwrap()
}

fn named(seed: u8) -> NamedKey {
    NamedKey::new(format!("key {seed}"), SecretKey::from_seed(&[seed; 32]).public_key())
}

/// A root writ and a few below it, in up to four levels. Budgets are small, so that they are fought for.
fn tree(dice: &Dice) -> Vec<(WritChain, u8)> {
    let entropy = SeededEntropy::new(dice.below(1 << 30) as u64);
    let amounts = |most: Amounts| Amounts {
        tool_calls: most.tool_calls.min(1 + dice.below(8) as u64),
        usd_millicents: most.usd_millicents.min(dice.below(12) as u64),
        ..most
    };
    let most = Amounts { tokens: 0, tool_calls: 12, usd_millicents: 14, wall_clock_ms: 1 << 40 };
    let root = WritBuilder::root(named(ISSUER), named(2))
        .any_store()
        .scopes([Scope::tools(ToolPattern::new("*").unwrap())])
        .budget(amounts(most))
        .effects_up_to(Effect::Write)
        .delegable(MAX_LEVELS as u32);
    let mut writs = vec![(block_on(root.sign_with(&SecretKey::from_seed(&[ISSUER; 32]), &entropy)).unwrap(), 2)];
    for seed in 3..3 + dice.below(5) as u8 {
        let (above, signer) = writs[dice.below(writs.len())].clone();
        if above.links().len() == MAX_LEVELS {
            continue;
        }
        let below = WritBuilder::child(&above, named(seed))
            .budget(amounts(above.leaf().budget))
            .delegable(above.leaf().delegation.depth - 1);
        writs.push((block_on(below.sign_with(&SecretKey::from_seed(&[signer; 32]), &entropy)).unwrap(), seed));
    }
    writs
}
