//! The verification of a whole store finds every change that no run can show of itself, and says where it is.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that goes wrong should stop the test"
)]

#[expect(dead_code, reason = "each test uses a part of it")]
mod altered;
#[path = "../common/mod.rs"]
mod common;
mod entries;
mod honest;
mod registers;
mod sums;

use std::sync::Arc;

use altered::Altered;
use common::{Fixture, whole};
use futures::executor::block_on;
use honest::{BUDGET, Store};
use openthymos::{
    ledger::{LedgerStore, MemoryLedger, Position},
    replay::{self, ReplayError, StorePins},
    writ::Amounts,
};

fn in_memory() -> Store {
    Store::on(Arc::new(MemoryLedger::new()))
}

/// A store of every outcome, and a copy of it to change.
fn copied() -> (Store, Altered) {
    let store = in_memory();
    let copy = Altered::of(&store.ledger);
    (store, copy)
}

fn verifies(store: &Store) {
    let report = whole(&*store.ledger);
    let entries = block_on(store.ledger.scan(Position(0), usize::MAX)).unwrap();
    let (position, last) = entries.last().unwrap();
    assert_eq!((report.entries, report.runs, report.open, report.in_doubt), (entries.len() as u64, 5, 2, 3));
    assert_eq!((report.head.position, report.head.entry), (*position, last.id()));
    assert_eq!(report.registers, block_on(store.ledger.registers(&[], None, usize::MAX)).unwrap().len() as u64);

    let runs = [store.outcomes, store.child, store.driven, store.settled, store.left];
    let spent = runs.map(|run| block_on(store.runtime.replay(&run, Default::default())).unwrap().spent);
    let [root, child] = report.accounts.as_slice() else { panic!("{:?}", report.accounts) };
    assert_eq!((root.parent, child.parent, root.budget), (None, Some(root.writ), BUDGET));
    assert_eq!(root.spent, spent.iter().fold(Amounts::ZERO, |sum, spent| sum.plus(spent)));
    assert_eq!((root.runs, child.runs, child.spent), (5, 1, spent[1]));
    assert_eq!((root.held.tool_calls, child.held), (1, Amounts::ZERO));
    assert!(root.spent.tokens > 4 * 50, "models used more than was held for them: {root:?}");
    assert!(report.to_string().contains("complete to position") && report.to_string().contains("not pinned"));
}

#[test]
fn an_honest_store_of_every_outcome_in_memory() {
    verifies(&in_memory());
}

#[cfg(feature = "redb")]
#[test]
fn an_honest_store_of_every_outcome_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let store = Store::on(Arc::new(openthymos::ledger::redb::RedbLedger::open(&path).unwrap()));
    verifies(&store);
}

#[test]
fn a_copy_that_nobody_changed() {
    let (store, copy) = copied();
    assert_eq!(copy.verify(StorePins { rederive: true, ..StorePins::default() }).unwrap(), whole(&*store.ledger));
}

#[test]
fn nothing_at_all_is_no_success() {
    let empty = block_on(replay::store(&MemoryLedger::new(), StorePins::default(), |_| {}));
    assert!(matches!(empty, Err(ReplayError::Empty)), "{empty:?}");
    // Nor is a store whose entries are gone and whose registers are left.
    let (_, mut copy) = copied();
    copy.log.clear();
    assert!(matches!(copy.error(), ReplayError::Empty));
}

#[test]
fn a_store_without_runs_is_one_that_verifies() {
    let fixture = Fixture::default();
    fixture.open([]);
    let report = whole(&*fixture.ledger);
    assert_eq!((report.runs, report.accounts.len()), (0, 0));
    let _: Arc<dyn LedgerStore> = fixture.ledger;
}
