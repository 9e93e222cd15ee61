//! A process that is killed again and again while it has effects: none happens twice, none without a trace, nothing that was
//! acknowledged is gone, and every ledger verifies.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test helper that goes wrong should stop the test")]

mod payer;
mod worker;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures::executor::block_on;
use openthymos::{
    canon::EntryId,
    commit::{Commit, Origin},
    ledger::{
        Kind, Position,
        record::{Dispatch, Failure, HappenedVerdict, InDoubtResolution, WhatHappened},
    },
    replay::{self, Progress, StorePins, Verdict},
};

const KILLS: u64 = 120;

/// Not a test by itself: what the killed process runs.
#[test]
fn child() {
    if let Some(folder) = std::env::var_os(worker::FOLDER) {
        worker::work(Path::new(&folder));
    }
}

fn spawn(folder: &Path) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(worker::FOLDER, folder);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// A number that differs from round to round, and not from run to run.
fn lot(round: u64) -> u64 {
    let mixed = (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32
}

#[test]
fn a_process_that_is_killed_again_and_again_does_nothing_twice_and_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut told, start) = (BTreeSet::new(), Instant::now());
    for round in 0..KILLS {
        let mut child = spawn(folder.path());
        let mut out = child.stdout.take().unwrap();
        let mut said = Vec::new();
        match lot(round) % 4 {
            // While it starts, opens and takes up its run.
            0 => std::thread::sleep(Duration::from_micros(lot(round) % 40_000)),
            // While it works.
            _ => {
                let mut first = [0; 64];
                let lines = 4 + lot(round) as usize / 8 % 40;
                while said.iter().filter(|byte| **byte == b'\n').count() < lines {
                    let read = out.read(&mut first).unwrap();
                    assert_ne!(read, 0, "round {round}: the child ended: {}", String::from_utf8_lossy(&said));
                    said.extend(first.iter().take(read));
                }
                std::thread::sleep(Duration::from_micros(lot(round) / 3 % 5_000));
            }
        }
        child.kill().unwrap();
        out.read_to_end(&mut said).unwrap();
        assert!(!child.wait().unwrap().success(), "round {round}: the child ended by itself");
        // A last line may be cut.
        let said = String::from_utf8_lossy(&said).into_owned();
        let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
        told.extend(
            whole.lines().filter_map(|line| line.strip_prefix("told ")).map(|id| id.parse::<EntryId>().unwrap()),
        );
        once_each(&payer::payments(folder.path()));
        if round % 20 == 19 {
            check(folder.path(), &told);
        }
    }
    let interrupted = check(folder.path(), &told);
    let payments = payer::payments(folder.path()).len();
    println!(
        "{KILLS} kills, {payments} payments, {} answers, {interrupted} calls interrupted, {:?}",
        told.len(),
        start.elapsed()
    );
    assert!(payments as u64 > KILLS / 2 && interrupted > 0, "it hardly worked");
}

/// No proposal and no business key has paid twice.
fn once_each(payments: &[(String, String)]) {
    let (mut proposals, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for (proposal, key) in payments {
        assert!(proposals.insert(proposal) && keys.insert(key), "{key} was paid twice");
    }
}

/// Every run verifies, what was told is there, and every payment was dispatched and is accounted for. Returns how
/// many calls a kill interrupted between their dispatch and their outcome.
fn check(folder: &Path, told: &BTreeSet<EntryId>) -> usize {
    let runtime = worker::open(folder);
    let ledger = runtime.ledger();
    let log = block_on(ledger.scan(Position(0), usize::MAX)).unwrap();
    let mut in_doubt = BTreeSet::new();
    let verification = replay::store(&**ledger, StorePins { rederive: true, ..StorePins::default() }, |progress| {
        if let Progress::Run { outcome: Ok(report), .. } = progress {
            in_doubt.extend(report.in_doubt.iter().copied());
        }
    });
    let report = block_on(verification).unwrap();
    assert_eq!(report.verdict(), Verdict::Verified, "{report}");
    let ids: BTreeSet<_> = log.iter().map(|(_, entry)| entry.id()).collect();
    assert!(told.is_subset(&ids), "what was acknowledged is gone");

    let (mut dispatches, mut stands, mut interrupted) = (BTreeMap::new(), BTreeMap::new(), in_doubt.len());
    for (_, entry) in &log {
        let (origin, happened) = match entry.header.known_kind() {
            Some(Kind::Dispatch) => {
                let proposal = entry.body::<Dispatch>().unwrap().proposal.resolved.unwrap().id;
                dispatches.insert(proposal.to_string(), entry.id());
                continue;
            }
            Some(Kind::Commit) => (entry.body::<Commit>().unwrap().origin, WhatHappened::Happened),
            Some(Kind::Failure) => {
                let failure: Failure = entry.body().unwrap();
                (failure.origin, failure.effect)
            }
            Some(Kind::InDoubtResolution) => {
                interrupted += 1;
                let settled: InDoubtResolution = entry.body().unwrap();
                let happened = settled.verdict == HappenedVerdict::Happened;
                let effect = if happened { WhatHappened::Happened } else { WhatHappened::None };
                (Origin::Dispatch(settled.dispatch), effect)
            }
            _ => continue,
        };
        if let Origin::Dispatch(dispatch) = origin {
            stands.insert(dispatch, happened);
        }
    }
    let paid: BTreeSet<_> = payer::payments(folder).into_iter().map(|(proposal, _)| proposal).collect();
    for proposal in &paid {
        assert!(dispatches.contains_key(proposal), "{proposal} was paid without a trace");
    }
    for (proposal, dispatch) in &dispatches {
        match stands.get(dispatch) {
            Some(WhatHappened::Happened) => assert!(paid.contains(proposal), "{proposal} was never paid"),
            Some(WhatHappened::None) => assert!(!paid.contains(proposal), "{proposal} was paid"),
            _ => assert!(in_doubt.contains(dispatch), "{dispatch} is neither known nor in doubt"),
        }
    }
    interrupted
}
