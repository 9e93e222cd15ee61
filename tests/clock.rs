//! A clock that goes back revives nothing and stops effects, until a root resets it; everything verifies all the while.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that goes wrong should stop the test"
)]

mod common;

use common::*;
use futures::executor::block_on;
use openthymos::{
    Runtime,
    canon::{EntryId, KeyId, RecordHash, StoreId, TrajectoryId},
    contract::Effect,
    crypto::{Purpose, Role},
    ledger::{
        AuthorityError, Batch, Entry, Header, Kind, LedgerStore, MemoryLedger,
        record::{ClockReset, Rejection},
    },
    proposal::{Code, Status},
    replay::{AuthorityLog, Fault, FaultKind, Pins, ReplayError, Replayer, closure, export::verify},
    runtime::{ClockError, Run, Submitted, export, latest_time},
    writ::Window,
};
use serde_json::json;

const MINUTE: u64 = 60_000;
const YEAR: u64 = 365 * 24 * 60 * MINUTE;
const CENTURY: u64 = 100 * YEAR;

struct Case {
    fixture: Fixture,
    runtime: Runtime,
    run: Run,
    writes: Vec<Counter>,
}

fn tools() -> (Vec<TestTool>, Counter) {
    let read = TestTool::world("look").with(|tool| tool.contract.effect = Effect::Read);
    let write = TestTool::host("write");
    let calls = write.counter();
    (vec![read, write], calls)
}

impl Case {
    fn new(expires_at_ms: u64) -> Self {
        let fixture = Fixture::default();
        let (tools, calls) = tools();
        let runtime = fixture.open(tools);
        let run = start(&runtime, &signed(writ().window(Window { not_before_ms: 0, expires_at_ms })));
        Self { fixture, runtime, run, writes: vec![calls] }
    }

    fn submits(&self, tool: &str) -> Result<(), Code> {
        match submit(&self.run, tool, json!({})) {
            Submitted::Committed { .. } => Ok(()),
            Submitted::Rejected { refusal, .. } => Err(refusal.code),
            other => panic!("{other:?}"),
        }
    }

    fn written(&self) -> usize {
        self.writes.iter().map(Counter::get).sum()
    }

    fn restarted(mut self) -> Self {
        let id = self.run.id();
        drop((self.run, self.runtime));
        let (tools, calls) = tools();
        self.runtime = self.fixture.open(tools);
        self.run = block_on(self.runtime.resume(&id)).unwrap();
        self.writes.push(calls);
        self
    }

    fn reset(&self) {
        block_on(self.runtime.reset_clock("operator", &key(ISSUER))).unwrap();
    }

    fn verifies(&self) {
        let report = verified(&self.runtime, &self.run.id());
        let mut file = Vec::new();
        block_on(export(&*self.fixture.ledger, &self.run.id(), Some(&key(RUNTIME)), 0, &mut file)).unwrap();
        assert_eq!(verify(&file[..], Pins { rederive: true, ..Pins::default() }, |_, _| {}).unwrap().0, report);
    }
}

#[test]
fn half_a_minute_back_is_nothing() {
    let case = Case::new(Window::ALWAYS.expires_at_ms);
    case.fixture.clock.set(START_MS - 30_000);
    let case = case.restarted();
    assert_eq!((case.submits("look"), case.submits("write")), (Ok(()), Ok(())));
    assert!(case.fixture.entries(&case.run.id()).iter().all(|entry| entry.header.time_ms == START_MS));
    case.verifies();
}

#[test]
fn further_back_reads_go_on_and_writes_stop_until_the_reset() {
    for back in [61_000, YEAR] {
        let mut case = Case::new(Window::ALWAYS.expires_at_ms);
        case.submits("write").unwrap();
        case.fixture.clock.set(START_MS - back);
        for _ in 0..2 {
            assert_eq!((case.submits("look"), case.submits("write")), (Ok(()), Err(Code::ClockBehind)));
            assert_eq!(case.runtime.clock().behind_ms(), back);
            case = case.restarted();
        }
        case.verifies();
        case.reset();
        assert_eq!((case.submits("write"), case.runtime.clock().behind_ms()), (Ok(()), 0));
        // The reset holds for the next process too, and the mark goes on from it.
        case.fixture.clock.set(START_MS - back + 5);
        let case = case.restarted();
        assert_eq!((case.submits("look"), case.submits("write")), (Ok(()), Ok(())));
        assert_eq!((case.written(), case.runtime.clock().high_water_ms), (3, START_MS - back + 5));
        case.fixture.clock.set(START_MS - back - 61_000);
        let case = case.restarted();
        assert_eq!((case.submits("write"), case.written()), (Err(Code::ClockBehind), 3));
        case.verifies();
    }
}

#[test]
fn a_bogus_reading_expires_writs_until_the_reset_and_not_beyond() {
    let case = Case::new(START_MS + YEAR);
    case.submits("write").unwrap();
    case.fixture.clock.set(START_MS + CENTURY);
    assert_eq!(case.submits("look"), Err(Code::Expired));
    // The clock is right again, but what it said is on record.
    case.fixture.clock.set(START_MS + 1);
    let case = case.restarted();
    assert_eq!((case.submits("look"), case.submits("write")), (Err(Code::Expired), Err(Code::Expired)));
    let refused = block_on(case.runtime.start(
        "x",
        &signed(writ().window(Window { not_before_ms: 0, expires_at_ms: START_MS + YEAR })),
        &key(AGENT),
    ));
    assert!(refused.is_err());
    case.reset();
    assert_eq!((case.submits("look"), case.submits("write"), case.written()), (Ok(()), Ok(()), 2));
    let case = case.restarted();
    assert_eq!((case.submits("write"), case.written()), (Ok(()), 3));
    case.verifies();
    let run = start(&case.runtime, &signed(writ().window(Window { not_before_ms: 0, expires_at_ms: START_MS + YEAR })));
    verified(&case.runtime, &run.id());
}

#[test]
fn a_decision_says_how_far_the_clock_was_behind() {
    let case = Case::new(Window::ALWAYS.expires_at_ms);
    case.fixture.clock.set(START_MS - 61_000);
    case.submits("write").unwrap_err();
    let rejection: Rejection = case.fixture.entry(&case.run.id(), 1).body().unwrap();
    let Rejection::Refused(proposal) = rejection else { panic!("{rejection:?}") };
    assert_eq!((proposal.decision.now_ms, proposal.decision.clock_ms), (START_MS, Some(START_MS - 61_000)));
    assert!(matches!(proposal.decision.status, Status::Rejected(_)));
}

#[test]
fn only_a_trusted_writ_issuer_resets_and_only_a_clock_that_is_behind() {
    let case = Case::new(Window::ALWAYS.expires_at_ms);
    let not_behind = block_on(case.runtime.reset_clock("operator", &key(ISSUER)));
    assert!(matches!(not_behind, Err(ClockError::NotBehind)), "{not_behind:?}");
    case.fixture.clock.set(START_MS - 61_000);
    for seed in [STRANGER, AGENT, RUNTIME] {
        let refused = block_on(case.runtime.reset_clock("operator", &key(seed)));
        assert!(matches!(refused, Err(ClockError::NotTrusted { .. })), "{refused:?}");
    }
    assert_eq!((case.submits("write"), case.written()), (Err(Code::ClockBehind), 0));
    case.reset();
    let reset = case.fixture.authority().pop().unwrap();
    let ClockReset { statement, .. } = reset.body().unwrap();
    assert_eq!((statement.high_water_ms, statement.reading_ms), (START_MS, START_MS - 61_000));
    assert_eq!((reset.header.time_ms, statement.by.key), (START_MS - 61_000, named(ISSUER).key));
}

#[test]
fn concurrent_runs_go_on_over_resets_and_no_time_goes_back_without_one() {
    let fixture = Fixture::default();
    let (tools, _) = tools();
    let runtime = fixture.open(tools);
    let runs: Vec<Run> = (0..4).map(|_| start(&runtime, &signed(writ()))).collect();
    std::thread::scope(|scope| {
        for run in &runs {
            scope.spawn(move || {
                for at in 0..120 {
                    submit(run, ["look", "write"][at % 2], json!({}));
                }
            });
        }
        let (clock, runtime) = (&fixture.clock, &runtime);
        scope.spawn(move || {
            for round in 0..40 {
                clock.set(START_MS + CENTURY);
                std::thread::sleep(std::time::Duration::from_millis(1));
                clock.set(START_MS + round);
                // When nobody read the clock meanwhile, it is not behind.
                match block_on(runtime.reset_clock("operator", &key(ISSUER))) {
                    Ok(_) | Err(ClockError::NotBehind) => {}
                    Err(other) => panic!("{other}"),
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
    });
    let resets = fixture.authority().iter().filter(|entry| entry.header.known_kind() == Some(Kind::ClockReset)).count();
    assert!(resets > 5, "{resets}");
    runs.iter().for_each(|run| drop(verified(&runtime, &run.id())));
    // What a new process takes for the latest time is that of all entries since the last reset.
    let entries = block_on(fixture.ledger.scan(openthymos::ledger::Position(0), usize::MAX)).unwrap();
    let reset = entries.iter().rposition(|(_, entry)| entry.header.known_kind() == Some(Kind::ClockReset)).unwrap();
    let latest = entries.iter().skip(reset).map(|(_, entry)| entry.header.time_ms).max().unwrap();
    assert_eq!(block_on(latest_time(&*fixture.ledger)).unwrap(), latest);
}

/// An entry of a run of its own, or of one that goes on; only its header counts here.
fn stored(ledger: &MemoryLedger, run: u16, seq: u64, time_ms: u64) {
    let mut trajectory = TrajectoryId([9; 32]);
    trajectory.0[..2].copy_from_slice(&run.to_be_bytes());
    let parent = block_on(ledger.head(&trajectory)).unwrap().map_or(EntryId::ZERO, |head| head.id);
    let header = Header {
        kind: Kind::Turn.code(),
        blobs: 0,
        store: StoreId([1; 32]),
        trajectory,
        seq,
        parent,
        time_ms,
        signer: KeyId::ZERO,
        authority: EntryId::ZERO,
        base_seq: 0,
        record: RecordHash([0; 32]),
    };
    let entry = Entry { header, record: b"{}".as_slice().into(), blobs: vec![], signature: None };
    block_on(ledger.append(Batch { entries: vec![entry], registers: vec![] })).unwrap();
}

#[test]
fn the_latest_time_is_found_behind_entries_that_were_written_before_it() {
    let ledger = MemoryLedger::new();
    let latest = || block_on(latest_time(&ledger)).unwrap();
    assert_eq!(latest(), 0);
    stored(&ledger, 0, 0, 50);
    stored(&ledger, 0, 1, 90);
    // Written before that one on other runs, and stored after it: many more than are read at a time.
    (1..=1_500).for_each(|run| stored(&ledger, run, 0, 60 + u64::from(run % 20)));
    assert_eq!(latest(), 90);
    // What a run writes after its earlier entry was stored is at or after all that stand before that.
    stored(&ledger, 1_500, 1, 91);
    assert_eq!(latest(), 91);
}

/// Makes entries' links and signatures right again after a change, as the holder of the runtime's key could.
fn resign(entries: &mut [Entry]) {
    for at in 0..entries.len() {
        if at > 0 {
            entries[at].header.parent = entries[at - 1].id();
        }
        entries[at].signature = Some(key(RUNTIME).sign(Purpose::Entry, entries[at].id().as_bytes()));
    }
}

fn fault(log: &AuthorityLog, run: TrajectoryId, entries: &[Entry]) -> Fault {
    let mut replayer = Replayer::new(log, run, Pins::default());
    entries.iter().find_map(|entry| replayer.push(entry).err()).unwrap()
}

#[test]
fn even_with_the_runtimes_key_times_do_not_go_back_without_a_reset() {
    let case = Case::new(Window::ALWAYS.expires_at_ms);
    case.submits("look").unwrap();
    case.fixture.clock.set(START_MS - YEAR);
    case.reset();
    case.submits("look").unwrap();
    case.submits("look").unwrap();
    let run = case.run.id();
    let log = block_on(closure(&*case.fixture.ledger, &run)).unwrap();
    let entries = case.fixture.entries(&run);
    assert!(entries[2].header.time_ms < entries[1].header.time_ms, "the reset lies between");
    for (at, time_ms) in [(1, START_MS - 1), (3, START_MS - YEAR - 1)] {
        let mut changed = entries.clone();
        changed[at].header.time_ms = time_ms;
        resign(&mut changed);
        let fault = fault(&log, run, &changed);
        assert!(fault.seq == at as u64 && matches!(fault.reason, FaultKind::Time), "{fault}");
    }
    // Nor was anything decided after it was written.
    let mut changed = entries.clone();
    changed[0].header.time_ms -= 1;
    changed[1].header.time_ms -= 1;
    resign(&mut changed);
    let found = fault(&log, run, &changed);
    let later = FaultKind::DecidedLater { decided_ms: START_MS, time_ms: START_MS - 1 };
    assert!(found.seq == 1 && found.reason.to_string() == later.to_string(), "{found}");
}

#[test]
fn a_forged_reset_has_no_force() {
    let case = Case::new(Window::ALWAYS.expires_at_ms);
    case.fixture.clock.set(START_MS - YEAR);
    case.reset();
    let entries = case.fixture.authority();
    let good: ClockReset = entries.last().unwrap().body().unwrap();
    let check = |change: &dyn Fn(&mut ClockReset, &mut u64), seed: u8| {
        let (mut entries, mut reset) = (entries.clone(), good.clone());
        let last = entries.last_mut().unwrap();
        change(&mut reset, &mut last.header.time_ms);
        reset.signature = key(seed).sign(Purpose::ClockReset, reset.statement.hash().unwrap().as_bytes());
        last.record = openthymos::canon::to_canonical(&reset).unwrap().into();
        last.header.record = last.record_hash();
        resign(&mut entries);
        match AuthorityLog::new(entries) {
            Ok(_) => None,
            Err(ReplayError::Fault(fault)) => Some(fault.reason),
            Err(other) => panic!("{other}"),
        }
    };
    assert!(check(&|_, _| {}, ISSUER).is_none());
    let force = |found: Option<FaultKind>| match found {
        Some(FaultKind::Force(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(force(check(&|_, _| {}, STRANGER)), AuthorityError::Signature(_)));
    let stranger = force(check(&|reset, _| reset.statement.by = named(STRANGER), STRANGER));
    assert!(matches!(stranger, AuthorityError::Role { role: Role::WritIssuer, .. }), "{stranger}");
    let elsewhere = force(check(&|reset, _| reset.statement.store.0[0] ^= 1, ISSUER));
    assert!(matches!(elsewhere, AuthorityError::Store), "{elsewhere}");
    let forward = force(check(&|reset, _| reset.statement.high_water_ms = reset.statement.reading_ms, ISSUER));
    assert!(matches!(forward, AuthorityError::Clock), "{forward}");
    let other_time = force(check(&|_, time| *time += 1, ISSUER));
    assert!(matches!(other_time, AuthorityError::Clock), "{other_time}");
}
