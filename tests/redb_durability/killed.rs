use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

use futures::executor::block_on;
use openthymos::ledger::{Batch, LedgerStore, StoreError, redb::RedbLedger};

use super::workload::Chain;

const LEDGER: &str = "OPENTHYMOS_TEST_LEDGER";

/// Not a test by itself: what the killed process runs. Says each seq once it is acknowledged.
#[test]
fn child() {
    let Some(path) = std::env::var_os(LEDGER) else { return };
    let ledger = RedbLedger::open(path).unwrap();
    let trajectory = Chain::new(1).trajectory;
    let mut chain = Chain::after(trajectory, block_on(ledger.head(&trajectory)).unwrap());
    loop {
        let entry = chain.next(700);
        block_on(ledger.append(Batch { entries: vec![entry], registers: Vec::new() })).unwrap();
        writeln!(std::io::stderr(), "{}", chain.seq - 1).unwrap();
    }
}

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let trajectory = Chain::new(1).trajectory;
    for round in 0..4 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "killed::child", "--nocapture"]).env(LEDGER, &path);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut told = None;
        for line in lines.by_ref().take(20 + round * 7) {
            told = line.parse::<u64>().ok().or(told);
        }
        if cfg!(unix) {
            let error = RedbLedger::options().wait(Duration::ZERO).open(&path).unwrap_err();
            let StoreError::Held { holder, .. } = &error else { panic!("{error}") };
            assert!(holder.starts_with(&format!("process {} ", child.id())), "{holder}");
        }
        child.kill().unwrap();
        // What it said before the end counts too; a last line may be cut.
        let rest: Vec<String> = lines.collect();
        told = rest.iter().rev().skip(1).find_map(|line| line.parse().ok()).max(told);
        child.wait().unwrap();

        let ledger = RedbLedger::open(&path).unwrap();
        let head = block_on(ledger.head(&trajectory)).unwrap();
        assert!(head.map(|head| head.seq) >= told && told.is_some(), "{told:?} was acknowledged, {head:?} is there");
        let mut chain = Chain::new(1);
        for entry in block_on(ledger.read(&trajectory, 0, usize::MAX)).unwrap() {
            assert_eq!(entry, chain.next(700));
        }
        assert_eq!(head.map(|head| head.seq + 1), Some(chain.seq));
    }
}
