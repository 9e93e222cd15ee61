//! Replay detects every change to a ledger, and names the entry where it shows.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that goes wrong should stop the test"
)]

mod common;

use std::sync::Arc;

use async_trait::async_trait;
use common::*;
use futures::executor::block_on;
use openthymos::{
    canon::{Bytes, EntryId, TrajectoryId, WorldRoot, to_canonical},
    commit::{Commit, Delta, Origin},
    crypto::Purpose,
    host::SeededEntropy,
    ledger::{
        Batch, Draft, Entry, EntryError, HEADER_BYTES, Head, Header, Kind, LedgerStore, MemoryLedger, Position,
        RegisterKey, StoreError, StoredBlob,
        record::{Dispatch, EndReason, Terminated, Turn},
    },
    proposal::{Code, Refusal, Stage, Status},
    replay::{
        self, AuthorityLog, Contracts, Fault, FaultKind, Pins, ReplayError, Replayer, Report,
        export::{HeadStatement, Line, SignedHead},
    },
    runtime::{Run, Runtime, export},
    tool::ToolOutput,
    writ::{Amounts, Dimension},
};
use serde_json::json;

/// A run of a dispatch, its commit, a commit without one, and a refusal.
struct Small {
    fixture: Fixture,
    runtime: Runtime,
    run: Run,
}

impl Small {
    fn new() -> Self {
        Self::on(Fixture::default())
    }

    fn on(fixture: Fixture) -> Self {
        let write = |id: &'static str| {
            move |_| Ok(ToolOutput::new("written").with_delta(Delta::none().create(kv(id), json!(1))))
        };
        let tools = [TestTool::host("send").calling(write("a")), TestTool::world("note").calling(write("b"))];
        let runtime = fixture.open(tools);
        let run = start(&runtime, &signed(writ()));
        for tool in ["send", "note", "gone"] {
            submit(&run, tool, json!({}));
        }
        Self { fixture, runtime, run }
    }

    fn entries(&self) -> Vec<Entry> {
        self.fixture.entries(&self.run.id())
    }

    fn log(&self) -> AuthorityLog {
        block_on(replay::closure(&*self.fixture.ledger, &self.run.id())).unwrap()
    }

    /// Replays the run from a store in which its entries are these.
    fn replay(&self, entries: Vec<Entry>) -> Result<replay::Report, ReplayError> {
        self.replay_up_to(u64::MAX, entries)
    }

    /// As [`replay`](Self::replay), where the store cannot read from that seq on.
    fn replay_up_to(&self, unreadable: u64, entries: Vec<Entry>) -> Result<replay::Report, ReplayError> {
        let store = Tampered { ledger: self.fixture.ledger.clone(), run: self.run.id(), entries, unreadable };
        block_on(replay::run(&store, &self.run.id(), Pins::default(), |_, _| {})).map(|(report, _)| report)
    }

    /// The fault of a store in which the run's entries are these.
    fn fault(&self, entries: Vec<Entry>) -> Fault {
        match self.replay(entries) {
            Err(ReplayError::Fault(fault)) => *fault,
            Err(other) => panic!("{other}"),
            Ok(report) => panic!("{report}"),
        }
    }
}

/// A store that somebody changed: in place of a run's entries it has others.
struct Tampered {
    ledger: Arc<MemoryLedger>,
    run: TrajectoryId,
    entries: Vec<Entry>,
    /// Reading the run fails from this seq on.
    unreadable: u64,
}

#[async_trait]
impl LedgerStore for Tampered {
    async fn append(&self, _: Batch) -> Result<Position, StoreError> {
        Err(StoreError::Poisoned("read only".into()))
    }

    async fn head(&self, trajectory: &TrajectoryId) -> Result<Option<Head>, StoreError> {
        self.ledger.head(trajectory).await
    }

    async fn read(&self, trajectory: &TrajectoryId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        if *trajectory != self.run {
            return self.ledger.read(trajectory, from_seq, limit).await;
        }
        if from_seq.saturating_add(limit as u64) > self.unreadable {
            return Err(StoreError::Damaged("unreadable".into()));
        }
        Ok(self.entries.iter().skip(from_seq as usize).take(limit).cloned().collect())
    }

    async fn scan(&self, from: Position, limit: usize) -> Result<Vec<(Position, Entry)>, StoreError> {
        self.ledger.scan(from, limit).await
    }

    async fn trajectories(
        &self,
        after: Option<&TrajectoryId>,
        limit: usize,
    ) -> Result<Vec<(TrajectoryId, Head)>, StoreError> {
        self.ledger.trajectories(after, limit).await
    }

    async fn register(&self, key: &RegisterKey) -> Result<Option<Bytes>, StoreError> {
        self.ledger.register(key).await
    }

    async fn registers(
        &self,
        prefix: &[u8],
        after: Option<&RegisterKey>,
        limit: usize,
    ) -> Result<Vec<(RegisterKey, Bytes)>, StoreError> {
        self.ledger.registers(prefix, after, limit).await
    }
}

/// Every entry that differs from `entry` in one byte.
fn flips(entry: &Entry) -> Vec<Entry> {
    let mask = |at: usize| 1u8 << (at % 8);
    let flip = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= mask(at);
        bytes
    };
    let mut flipped = Vec::new();
    // A header that cannot be read at all is no entry.
    let headers = (0..HEADER_BYTES).filter_map(|at| Header::from_bytes(&flip(&entry.header.to_bytes(), at)).ok());
    flipped.extend(headers.map(|header| Entry { header, ..entry.clone() }));
    let records = (0..entry.record.len()).map(|at| Bytes::from(flip(&entry.record, at)));
    flipped.extend(records.map(|record| Entry { record, ..entry.clone() }));
    for (index, blob) in entry.blobs.iter().enumerate() {
        let StoredBlob::Present(blob) = blob else { continue };
        let mut push = |blob| {
            let mut changed = entry.clone();
            changed.blobs[index] = StoredBlob::Present(blob);
            flipped.push(changed);
        };
        for at in 0..blob.salt.0.len() {
            let mut changed = blob.clone();
            changed.salt.0[at] ^= mask(at);
            push(changed);
        }
        for at in 0..blob.bytes.len() {
            let mut changed = blob.clone();
            changed.bytes = flip(&blob.bytes, at).into();
            push(changed);
        }
    }
    for at in 0..64 {
        let mut changed = entry.clone();
        changed.signature.as_mut().unwrap().0[at] ^= mask(at);
        flipped.push(changed);
    }
    flipped
}

#[test]
fn a_ledger_that_nobody_changed_verifies() {
    let small = Small::new();
    let report = verified(&small.runtime, &small.run.id());
    assert_eq!((report.entries, report.commits, report.head_seq), (5, 2, 4));
    assert_eq!(small.replay(small.entries()).unwrap(), Report { rederived: None, ..report });
}

#[test]
fn any_changed_byte_of_a_run() {
    let small = Small::new();
    let (log, entries) = (small.log(), small.entries());
    for (at, entry) in entries.iter().enumerate() {
        for flipped in flips(entry) {
            let mut replayer = Replayer::new(&log, small.run.id(), Pins::default());
            entries[..at].iter().for_each(|entry| replayer.push(entry).unwrap());
            let fault = replayer.push(&flipped).expect_err("a changed byte passed");
            assert_eq!(fault.id, flipped.id());
            assert_eq!(fault.seq, flipped.header.seq);
        }
    }
}

#[test]
fn a_fault_is_told_before_a_page_that_cannot_be_read() {
    let small = Small::new();
    (0..200).for_each(|_| drop(submit(&small.run, "gone", json!({}))));
    let mut entries = small.entries();
    assert!(matches!(small.replay_up_to(100, entries.clone()), Err(ReplayError::Store(StoreError::Damaged(_)))));
    entries[50].header.time_ms += 1;
    match small.replay_up_to(100, entries) {
        Err(ReplayError::Fault(fault)) => assert_eq!(fault.seq, 50),
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_changed_byte_of_the_authority() {
    let small = Small::new();
    let entries: Vec<Entry> = small.log().entries().into_iter().cloned().collect();
    for (at, entry) in entries.iter().enumerate() {
        for flipped in flips(entry) {
            let mut tampered = entries.clone();
            tampered[at] = flipped.clone();
            match AuthorityLog::new(tampered) {
                Err(ReplayError::Fault(fault)) => {
                    // A changed genesis is another store, and then it is the next entry that does not belong.
                    let next = entries.get(at + 1).filter(|_| at == 0);
                    let named = fault.id == flipped.id() || next.is_some_and(|next| fault.id == next.id());
                    // A changed seq moves the entry, and its neighbour is found out of place.
                    assert!(named || flipped.header.seq != entry.header.seq, "{fault}");
                }
                other => panic!("entry {at}: {other:?}"),
            }
        }
    }
}

#[test]
fn dropped_swapped_and_doubled_entries() {
    let small = Small::new();
    let entries = small.entries();
    for at in 0..entries.len() {
        let mut doubled = entries.clone();
        doubled.insert(at, entries[at].clone());
        let fault = small.fault(doubled);
        assert!(matches!(fault.reason, FaultKind::Seq { expected } if expected == at as u64 + 1), "{fault}");
        assert_eq!(fault.id, entries[at].id());
        let Some(next) = entries.get(at + 1) else { continue };
        let mut dropped = entries.clone();
        dropped.remove(at);
        let fault = small.fault(dropped);
        assert!(matches!(fault.reason, FaultKind::Seq { expected } if expected == at as u64), "{fault}");
        assert_eq!(fault.id, next.id());
        let mut swapped = entries.clone();
        swapped.swap(at, at + 1);
        assert_eq!(small.fault(swapped).id, next.id());
    }
}

#[test]
fn an_opening_that_is_not_in_the_authority_trajectory() {
    let small = Small::new();
    let all: Vec<Entry> = small.log().entries().into_iter().cloned().collect();
    let without = |kind: Kind| all.iter().filter(|entry| entry.header.known_kind() != Some(kind)).cloned().collect();
    let first_fault = |log: &AuthorityLog| {
        let mut replayer = Replayer::new(log, small.run.id(), Pins::default());
        small.entries().iter().find_map(|entry| replayer.push(entry).err()).expect("a fault")
    };
    let fault = first_fault(&AuthorityLog::new(without(Kind::RunOpened)).unwrap());
    assert!(matches!((fault.seq, &fault.reason), (0, FaultKind::NotOpened)), "{fault}");
    let fault = first_fault(&AuthorityLog::new(without(Kind::Contract)).unwrap());
    assert!(matches!((fault.seq, &fault.reason), (1, FaultKind::Contract(_))), "{fault}");
    // An epoch that is left out breaks the line of epochs.
    assert!(matches!(AuthorityLog::new(without(Kind::TrustRoot)), Err(ReplayError::Fault(_))));
    assert!(matches!(AuthorityLog::new(without(Kind::Genesis)), Err(ReplayError::Fault(_))));
}

#[test]
fn nothing_is_no_success() {
    let small = Small::new();
    assert!(matches!(small.replay(vec![]), Err(ReplayError::NoRun(_))));
    let empty = MemoryLedger::new();
    let run = small.run.id();
    assert!(matches!(block_on(replay::run(&empty, &run, Pins::default(), |_, _| {})), Err(ReplayError::Empty)));
    assert!(matches!(block_on(replay::authority_of(&empty, None, Contracts::All)), Err(ReplayError::Empty)));
    let none = TrajectoryId([9; 32]);
    assert!(matches!(block_on(small.runtime.replay(&none, Pins::default())), Err(ReplayError::NoRun(_))));
    assert!(matches!(replay::export::verify(&b""[..], Pins::default(), |_, _| {}), Err(ReplayError::Empty)));
    let log = small.log();
    assert!(matches!(Replayer::new(&log, run, Pins::default()).finish(), Err(ReplayError::NoRun(_))));
}

#[test]
fn entries_of_another_run_or_store() {
    let small = Small::new();
    let mut fixture = Fixture::default();
    fixture.host.entropy = Arc::new(SeededEntropy::new(8));
    let other = Small::on(fixture);
    let elsewhere = start(&small.runtime, &signed(writ()));
    submit(&elsewhere, "note", json!({}));
    let moved = small.fixture.entries(&elsewhere.id());
    let fault = small.fault(moved.clone());
    assert!(matches!(fault.reason, FaultKind::Trajectory), "{fault}");
    let mut spliced = small.entries();
    spliced[1] = moved[1].clone();
    assert!(matches!(small.fault(spliced).reason, FaultKind::Trajectory));
    // Named as if it belonged here, its signature does not hold.
    let mut renamed = small.entries();
    renamed[1] = moved[1].clone();
    renamed[1].header.trajectory = small.run.id();
    renamed[1].header.parent = renamed[0].id();
    let fault = small.fault(renamed);
    assert!(matches!((fault.seq, &fault.reason), (1, FaultKind::Entry(_))), "{fault}");
    let fault = small.fault(other.entries());
    assert!(matches!(fault.reason, FaultKind::Store), "{fault}");
}

/// Links entries anew from the first on, as whoever can write the storage could.
fn rechain(entries: &mut [Entry]) {
    let mut parent = EntryId::ZERO;
    for (seq, entry) in (0..).zip(entries) {
        entry.header.seq = seq;
        entry.header.parent = parent;
        parent = entry.id();
    }
}

/// Links and signs entries anew, as whoever holds a key could.
fn resign(entries: &mut [Entry], seed: u8) {
    let key = key(seed);
    let mut parent = EntryId::ZERO;
    for (seq, entry) in (0..).zip(entries) {
        entry.header.seq = seq;
        entry.header.parent = parent;
        entry.header.signer = key.public_key().id();
        parent = entry.id();
        entry.signature = Some(key.sign(Purpose::Entry, parent.as_bytes()));
    }
}

/// Replaces the record of an entry, keeping its values.
fn rewrite(entry: &mut Entry, body: &impl serde::Serialize) {
    let blobs = entry.blobs.iter().map(|blob| match blob {
        StoredBlob::Present(blob) => blob.clone(),
        StoredBlob::Erased(_) => panic!("erased"),
    });
    let draft = Draft::seal(entry.header.known_kind().unwrap(), body, blobs.collect()).unwrap();
    entry.header.record = draft.hash();
    entry.header.blobs = draft.blobs.len() as u32;
    entry.blobs = draft.blobs.into_iter().map(|blob| StoredBlob::Present(blob.into_blob())).collect();
    entry.record = draft.record;
}

#[test]
fn a_chain_that_was_linked_anew_without_the_key() {
    let small = Small::new();
    for at in 1..4 {
        let mut entries = small.entries();
        entries.remove(at);
        rechain(&mut entries);
        let fault = small.fault(entries);
        assert!(matches!((fault.seq, &fault.reason), (seq, FaultKind::Entry(_)) if seq == at as u64), "{fault}");
    }
    let mut entries = small.entries();
    resign(&mut entries, STRANGER);
    let fault = small.fault(entries);
    assert!(matches!((fault.seq, &fault.reason), (0, FaultKind::Signer(_))), "{fault}");
    let mut entries = small.entries();
    entries[2].signature = None;
    assert_eq!(small.fault(entries).seq, 2);
}

#[test]
fn a_value_that_is_gone_and_that_nobody_erased() {
    let small = Small::new();
    for (at, entry) in small.entries().iter().enumerate() {
        for index in 0..entry.blobs.len() {
            let mut entries = small.entries();
            entries[at].blobs[index] = StoredBlob::Erased(entry.blobs[index].commitment());
            let fault = small.fault(entries);
            assert!(matches!(fault.reason, FaultKind::Missing), "{fault}");
            assert_eq!((fault.seq, fault.id), (at as u64, entry.id()));
            let mut entries = small.entries();
            entries[at].blobs.remove(index);
            assert_eq!(small.fault(entries).seq, at as u64);
        }
    }
}

/// The fault of a run that was changed and signed anew with the runtime's own key.
fn resigned(small: &Small, change: impl FnOnce(&mut Vec<Entry>)) -> Fault {
    let mut entries = small.entries();
    change(&mut entries);
    resign(&mut entries, RUNTIME);
    small.fault(entries)
}

#[test]
fn signing_anew_alone_changes_nothing() {
    let small = Small::new();
    let mut entries = small.entries();
    resign(&mut entries, RUNTIME);
    assert_eq!(entries, small.entries());
}

#[test]
fn even_with_the_runtimes_key_a_refused_proposal_is_not_carried_out() {
    let small = Small::new();
    let refused = || Status::Rejected(Refusal::new(Stage::Policy, Code::PolicyDenied));
    let waiting = || Status::Suspended { channel: "operator".into(), reason: "risk".into() };
    for status in [refused(), waiting()] {
        let fault = resigned(&small, |entries| {
            let mut commit: Commit = entries[3].body().unwrap();
            let Origin::Proposal(proposal) = &mut commit.origin else { panic!("dispatched") };
            Arc::make_mut(proposal).decision.status = status.clone();
            rewrite(&mut entries[3], &commit);
        });
        assert!(matches!((fault.seq, &fault.reason), (3, FaultKind::NotStaged(_))), "{fault}");
        let fault = resigned(&small, |entries| {
            let mut dispatch: Dispatch = entries[1].body().unwrap();
            Arc::make_mut(&mut dispatch.proposal).decision.status = status;
            rewrite(&mut entries[1], &dispatch);
        });
        assert!(matches!((fault.seq, &fault.reason), (1, FaultKind::NotStaged(_))), "{fault}");
    }
}

#[test]
fn even_with_the_runtimes_key_a_call_costs_a_call() {
    let small = Small::new();
    let free: [fn(&mut Commit); 2] = [
        |commit| commit.cost.tool_calls = 0,
        |commit| {
            let Origin::Proposal(proposal) = &mut commit.origin else { panic!("dispatched") };
            Arc::make_mut(proposal).decision.quote.as_mut().unwrap().cost.tool_calls = 0;
        },
    ];
    for free in free {
        let fault = resigned(&small, |entries| {
            let mut commit: Commit = entries[3].body().unwrap();
            free(&mut commit);
            rewrite(&mut entries[3], &commit);
        });
        let refused = matches!((fault.seq, &fault.reason), (3, FaultKind::Cost(Dimension::ToolCalls)));
        assert!(refused, "{fault}");
    }
}

#[test]
fn even_with_the_runtimes_key_a_world_is_what_its_changes_make_it() {
    let small = Small::new();
    let fault = resigned(&small, |entries| {
        let commit = Commit { world_root: WorldRoot([1; 32]), ..entries[3].body().unwrap() };
        rewrite(&mut entries[3], &commit);
    });
    assert!(matches!((fault.seq, &fault.reason), (3, FaultKind::Root { .. })), "{fault}");
    let fault = resigned(&small, |entries| {
        let mut commit: Commit = entries[3].body().unwrap();
        commit.delta.push(commit.delta[0].clone());
        rewrite(&mut entries[3], &commit);
    });
    assert!(matches!((fault.seq, &fault.reason), (3, FaultKind::Fold(_))), "{fault}");
    let fault = resigned(&small, |entries| entries[3].header.base_seq = 0);
    assert!(matches!((fault.seq, &fault.reason), (3, FaultKind::Base(0))), "{fault}");
}

#[test]
fn even_with_the_runtimes_key_effects_and_outcomes_pair_up() {
    let small = Small::new();
    let undispatched = resigned(&small, |entries| {
        let dispatch: Dispatch = entries[1].body().unwrap();
        let commit = Commit { origin: Origin::Proposal(dispatch.proposal), ..entries[2].body().unwrap() };
        rewrite(&mut entries[2], &commit);
        entries.remove(1);
    });
    assert!(matches!((undispatched.seq, &undispatched.reason), (1, FaultKind::Undispatched)), "{undispatched}");
    let orphan = resigned(&small, |entries| drop(entries.remove(1)));
    assert!(matches!((orphan.seq, &orphan.reason), (1, FaultKind::Dispatch(_))), "{orphan}");
    let twice = resigned(&small, |entries| {
        let mut again = entries[2].clone();
        let commit = Commit { delta: vec![], ..again.body().unwrap() };
        again.blobs.retain(|blob| blob.commitment() == commit.observation.output);
        rewrite(&mut again, &commit);
        again.header.base_seq = 2;
        entries.insert(3, again);
    });
    assert!(matches!((twice.seq, &twice.reason), (3, FaultKind::Dispatch(_))), "{twice}");
}

#[test]
fn even_with_the_runtimes_key_a_proposal_is_what_its_id_says() {
    let small = Small::new();
    let changed = |change: fn(&mut Dispatch)| {
        resigned(&small, |entries| {
            let mut dispatch: Dispatch = entries[1].body().unwrap();
            change(&mut dispatch);
            rewrite(&mut entries[1], &dispatch);
        })
    };
    for fault in [
        changed(|dispatch| Arc::make_mut(&mut dispatch.proposal).intent.author = "somebody else".into()),
        changed(|dispatch| Arc::make_mut(&mut dispatch.proposal).intent.target = "note".parse().unwrap()),
        changed(|dispatch| Arc::make_mut(&mut dispatch.proposal).writ.0[0] ^= 1),
        changed(|dispatch| Arc::make_mut(&mut dispatch.proposal).resolved.as_mut().unwrap().id.0[0] ^= 1),
        changed(|dispatch| Arc::make_mut(&mut dispatch.proposal).resolved = None),
    ] {
        assert!(matches!((fault.seq, &fault.reason), (1, FaultKind::Proposal)), "{fault}");
    }
    let fault = changed(|dispatch| Arc::make_mut(&mut dispatch.proposal).resolved.as_mut().unwrap().contract.0[0] ^= 1);
    assert!(matches!((fault.seq, &fault.reason), (1, FaultKind::Contract(_))), "{fault}");
}

#[test]
fn even_with_the_runtimes_key_entries_stand_where_they_belong() {
    let small = Small::new();
    let append = |kind: Kind, body: &dyn Fn(&mut Entry)| {
        resigned(&small, |entries| {
            let mut entry = entries[4].clone();
            entry.header.kind = kind.code();
            entry.header.blobs = 0;
            entry.blobs.clear();
            body(&mut entry);
            entries.push(entry);
        })
    };
    let turn = Turn {
        answer: None,
        answered_by: None,
        carry: None,
        error: None,
        intents: vec![],
        malformed: vec![],
        start: EntryId::ZERO,
        text: None,
        tokens: None,
        usage: Amounts::ZERO,
    };
    let fault = append(Kind::Turn, &|entry| rewrite(entry, &turn));
    assert!(matches!((fault.seq, &fault.reason), (5, FaultKind::Misplaced)), "{fault}");
    let root = small.entries()[0].clone();
    let fault = append(Kind::Root, &|entry| {
        entry.record = root.record.clone();
        entry.blobs = root.blobs.clone();
        entry.header.blobs = root.header.blobs;
        entry.header.record = root.header.record;
    });
    assert!(matches!((fault.seq, &fault.reason), (5, FaultKind::Misplaced)), "{fault}");
    let fault = append(Kind::Genesis, &|entry| rewrite(entry, &json!({})));
    assert!(matches!((fault.seq, &fault.reason), (5, FaultKind::Misplaced)), "{fault}");
    let fault = append(Kind::Commit, &|entry| rewrite(entry, &json!({"surplus": 1})));
    assert!(matches!((fault.seq, &fault.reason), (5, FaultKind::Entry(_))), "{fault}");
    let ended = |calls| {
        let spent = Amounts { tool_calls: calls, ..Amounts::ZERO };
        Terminated { answer: None, detail: None, reason: EndReason::Closed, spent }
    };
    let fault = append(Kind::Terminated, &|entry| rewrite(entry, &ended(3)));
    assert!(matches!((fault.seq, &fault.reason), (5, FaultKind::Spent)), "{fault}");
    let fault = resigned(&small, |entries| {
        let ended = ended(2);
        let mut end = entries[4].clone();
        end.header.kind = Kind::Terminated.code();
        end.blobs.clear();
        rewrite(&mut end, &ended);
        entries.insert(4, end);
    });
    assert!(matches!((fault.seq, &fault.reason), (5, FaultKind::AfterEnd)), "{fault}");
}

#[test]
fn even_with_the_runtimes_key_an_entry_names_the_one_before_it() {
    let small = Small::new();
    let mut entries = small.entries();
    entries[2].header.parent = entries[0].id();
    entries[2].signature = Some(key(RUNTIME).sign(Purpose::Entry, entries[2].id().as_bytes()));
    let fault = small.fault(entries);
    assert!(matches!((fault.seq, &fault.reason), (2, FaultKind::Parent)), "{fault}");
}

#[test]
fn what_a_replay_does_not_know_is_not_success() {
    let small = Small::new();
    let mut entries = small.entries();
    entries[4].header.kind = 9_999;
    resign(&mut entries, RUNTIME);
    let report = small.replay(entries).unwrap();
    assert_eq!(report.verdict(), replay::Verdict::Incomplete);
}

fn exported(small: &Small) -> Vec<u8> {
    let mut file = Vec::new();
    block_on(export(&*small.fixture.ledger, &small.run.id(), Some(&key(RUNTIME)), START_MS, &mut file)).unwrap();
    file
}

fn verify(file: &[u8], pins: Pins) -> Result<replay::Report, ReplayError> {
    replay::export::verify(file, pins, |_, _| {}).map(|(report, _)| report)
}

#[test]
fn an_untouched_export_verifies_and_its_pins_count() {
    let small = Small::new();
    let file = exported(&small);
    let report = verify(&file, Pins { rederive: true, ..Pins::default() }).unwrap();
    assert_eq!(report, verified(&small.runtime, &small.run.id()));
    assert!(!report.signer_pinned);
    let right = Pins {
        compiler: Some(openthymos::compile::COMPILER),
        policy_set: Some(openthymos::policy::PolicySet::default().hash()),
        rederive: true,
        signer: Some(named(RUNTIME).key),
        store: Some(small.runtime.store_id()),
        world_root: Some(block_on(small.run.world()).root()),
        contains: Some(small.entries()[2].id()),
        ..Pins::default()
    };
    assert!(verify(&file, right.clone()).unwrap().signer_pinned);
    for wrong in [
        Pins { compiler: Some(99), ..right.clone() },
        Pins { policy_set: Some(openthymos::canon::PolicySetHash([1; 32])), ..right.clone() },
        Pins { signer: Some(named(STRANGER).key), ..right.clone() },
        Pins { store: Some(openthymos::canon::StoreId([1; 32])), ..right.clone() },
        Pins { world_root: Some(WorldRoot([1; 32])), ..right.clone() },
        Pins { contains: Some(EntryId([1; 32])), ..right.clone() },
    ] {
        assert!(verify(&file, wrong.clone()).is_err(), "{wrong:?}");
        assert!(block_on(small.runtime.replay(&small.run.id(), wrong.clone())).is_err(), "{wrong:?}");
    }
}

#[test]
fn even_with_the_runtimes_key_a_head_is_that_of_what_comes_before_it() {
    let small = Small::new();
    let file = exported(&small);
    let start = file[..file.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let signed_by = |seed, change: fn(&mut HeadStatement)| {
        let Line::Head(mut head) = serde_json::from_slice(&file[start..]).unwrap() else { panic!("no head") };
        change(&mut head.statement);
        let signature = key(seed).sign(Purpose::ExportHead, head.statement.hash().unwrap().as_bytes());
        *head = SignedHead { signature: Some(signature), signer: Some(named(seed).key), ..*head };
        [&file[..start], &to_canonical(&Line::Head(head)).unwrap(), b"\n"].concat()
    };
    verify(&signed_by(RUNTIME, |_| ()), Pins::default()).unwrap();
    verify(&signed_by(RUNTIME, |statement| statement.as_of_ms += 1), Pins::default()).unwrap();
    for changed in [
        signed_by(STRANGER, |_| ()),
        signed_by(RUNTIME, |statement| statement.length -= 1),
        signed_by(RUNTIME, |statement| statement.head.0[0] ^= 1),
        signed_by(RUNTIME, |statement| statement.digest.0[0] ^= 1),
        signed_by(RUNTIME, |statement| statement.store.0[0] ^= 1),
        signed_by(RUNTIME, |statement| statement.trajectory.0[0] ^= 1),
    ] {
        assert!(matches!(verify(&changed, Pins::default()), Err(ReplayError::Head(_))));
    }
}

/// The shortest export of a run in which something was done.
fn short() -> Vec<u8> {
    let fixture = Fixture::default();
    let tool = TestTool::world("t").with(|tool| tool.contract.schema = json!({"type": "object"}));
    let runtime = fixture.open([tool]);
    let run = start(&runtime, &signed(writ()));
    submit(&run, "t", json!({}));
    let mut file = Vec::new();
    block_on(export(&*fixture.ledger, &run.id(), Some(&key(RUNTIME)), START_MS, &mut file)).unwrap();
    verify(&file, Pins::default()).unwrap();
    file
}

#[test]
fn any_changed_byte_of_an_export() {
    let file = short();
    let half = file.len() / 2;
    std::thread::scope(|scope| {
        for range in [0..half, half..file.len()] {
            let file = &file;
            scope.spawn(move || {
                for at in range {
                    for mask in [0x01, 0x20] {
                        let mut flipped = file.clone();
                        flipped[at] ^= mask;
                        assert!(verify(&flipped, Pins::default()).is_err(), "byte {at} ^ {mask}");
                    }
                }
            });
        }
    });
}

#[test]
fn lines_of_an_export_that_are_dropped_swapped_doubled_or_cut_off() {
    let file = exported(&Small::new());
    let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    let refused = |lines: &[&[u8]], what: &str, at: usize| {
        let error = verify(&lines.concat(), Pins::default());
        assert!(error.is_err(), "line {at} {what}: {error:?}");
    };
    for at in 0..lines.len() {
        let mut changed = lines.clone();
        changed.remove(at);
        refused(&changed, "dropped", at);
        let mut changed = lines.clone();
        changed.insert(at, lines[at]);
        refused(&changed, "doubled", at);
        refused(&lines[..at], "cut off", at);
        if at + 1 < lines.len() {
            let mut changed = lines.clone();
            changed.swap(at, at + 1);
            refused(&changed, "swapped", at);
        }
    }
    for end in (0..file.len()).step_by(37) {
        assert!(verify(&file[..end], Pins::default()).is_err(), "cut at byte {end}");
    }
    assert!(verify(&file[..file.len() - 1], Pins::default()).is_err());
    assert!(verify(&[&file[..], b"\n"].concat(), Pins::default()).is_err());
    assert!(verify(&[&file[..], lines[1]].concat(), Pins::default()).is_err());
}

#[test]
fn a_value_in_the_place_of_another_that_the_record_names_too() {
    let small = Small::new();
    let mut entries = small.entries();
    // The second call is world-only: its entry holds arguments, output and the new value.
    let commit = &mut entries[3];
    let held = commit.blobs.clone();
    assert_eq!(held.len(), 3);
    for (at, other) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        commit.blobs = held.clone();
        commit.blobs[at] = held[other].clone();
        assert!(matches!(commit.check(), Err(EntryError::Record)));
    }
    commit.blobs = held[..2].to_vec();
    assert!(matches!(commit.check(), Err(EntryError::BlobCount { .. })));
}

#[test]
fn even_with_the_runtimes_key_a_record_has_one_form() {
    let small = Small::new();
    for (from, to) in [
        (r#""status":"staged""#, r#""status":{"staged":null}"#),
        (r#""cost":{"tool_calls":1}"#, r#""cost":{"tool_calls":1,"tokens":0}"#),
        (r#"{"cost""#, r#"{ "cost""#),
        (r#"{"cost""#, r#"{"compensates":null,"cost""#),
    ] {
        let fault = resigned(&small, |entries| {
            let text = String::from_utf8(entries[3].record.to_vec()).unwrap();
            assert!(text.contains(from), "{text}");
            entries[3].record = text.replacen(from, to, 1).into_bytes().into();
            entries[3].header.record = entries[3].record_hash();
        });
        assert!(matches!((fault.seq, &fault.reason), (3, FaultKind::Entry(EntryError::Shape { .. }))), "{to}: {fault}");
    }
}
