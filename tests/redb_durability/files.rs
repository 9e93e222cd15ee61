use std::time::{Duration, Instant};

use futures::executor::block_on;
use openthymos::ledger::{Batch, LedgerStore, StoreError, redb::RedbLedger};
use redb::ReadableTable;

use super::workload::{contents, model, script};

#[test]
fn a_ledger_opened_again_has_everything_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let script = script(40);
    let model = model(&script);
    for (number, batch) in script.iter().enumerate() {
        let ledger = RedbLedger::open(&path).unwrap();
        assert!(contents(&ledger) == model[number]);
        block_on(ledger.append(batch.clone())).unwrap();
    }
    assert!(contents(&RedbLedger::open_read_only(&path).unwrap()) == model[script.len()]);
}

#[test]
fn folders_are_made_and_only_the_owner_reads_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/ledger.db");
    drop(RedbLedger::open(&path).unwrap());
    #[cfg(unix)]
    for file in [path.clone(), folder.path().join("a/b/ledger.db.lock")] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_second_opener_waits_and_is_told_who_has_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let first = RedbLedger::open(&path).unwrap();

    let (wait, start) = (Duration::from_millis(150), Instant::now());
    let error = RedbLedger::options().wait(wait).open(&path).unwrap_err();
    assert!(start.elapsed() >= wait);
    let StoreError::Held { path: held, holder } = &error else { panic!("{error}") };
    assert!(held.ends_with("ledger.db"), "{held}");
    if cfg!(unix) {
        assert!(holder.starts_with(&format!("process {} (redb_durability", std::process::id())), "{holder}");
    }
    assert!(matches!(RedbLedger::options().wait(Duration::ZERO).open_read_only(&path), Err(StoreError::Held { .. })));

    let other = std::thread::spawn({
        let path = path.clone();
        move || RedbLedger::options().wait(Duration::from_secs(20)).open(path).map(drop)
    });
    std::thread::sleep(Duration::from_millis(50));
    drop(first);
    other.join().unwrap().unwrap();
}

#[test]
fn what_an_old_lock_file_says_keeps_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::fs::write(folder.path().join("ledger.db.lock"), "1 somebody who was killed\n").unwrap();
    drop(RedbLedger::options().wait(Duration::ZERO).open(&path).unwrap());
}

#[test]
fn a_ledger_whose_making_was_cut_short_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::fs::write(folder.path().join("ledger.db.new"), [0; 5000]).unwrap();
    std::fs::write(&path, []).unwrap();
    let ledger = RedbLedger::open(&path).unwrap();
    assert!(contents(&ledger) == model(&[])[0]);
    assert!(!folder.path().join("ledger.db.new").exists());
}

#[cfg(unix)]
#[test]
fn a_link_leads_to_the_same_lock() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("ledger.db"), folder.path().join("link.db"));
    let _first = RedbLedger::open(&path).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let error = RedbLedger::options().wait(Duration::ZERO).open(&link).unwrap_err();
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
}

#[test]
fn a_ledger_that_is_read_only_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    assert!(matches!(RedbLedger::open_read_only(&path), Err(StoreError::Io(_))));
    drop(RedbLedger::open(&path).unwrap());
    let ledger = RedbLedger::open_read_only(&path).unwrap();
    assert!(matches!(block_on(ledger.append(Batch::default())), Err(StoreError::Io(_))));
    assert!(contents(&ledger) == model(&[])[0]);
    let second = RedbLedger::open_read_only(&path).unwrap();
    assert!(matches!(RedbLedger::options().wait(Duration::ZERO).open(&path), Err(StoreError::Held { .. })));
    drop((ledger, second));
    drop(RedbLedger::open(&path).unwrap());
}

#[test]
fn a_file_that_is_no_ledger_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "no ledger at all ".repeat(1000)).unwrap();
    let error = RedbLedger::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");

    let path = folder.path().join("other.db");
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(redb::TableDefinition::<u64, u64>::new("entries")).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = RedbLedger::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
}

#[test]
fn a_snapshot_is_there_when_the_ledger_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = RedbLedger::open(&path).unwrap();
    let run = openthymos::canon::TrajectoryId([1; 32]);
    for (seq, snapshot) in [(3, b"early".as_slice()), (9, b"late")] {
        block_on(ledger.keep_snapshot(&run, seq, snapshot.into())).unwrap();
    }
    drop(ledger);
    let ledger = RedbLedger::open_read_only(&path).unwrap();
    let at = |up_to| block_on(ledger.snapshot(&run, up_to)).unwrap().map(|(seq, bytes)| (seq, bytes.to_vec()));
    assert_eq!((at(2), at(8)), (None, Some((3, b"early".to_vec()))));
    assert_eq!(at(u64::MAX), Some((9, b"late".to_vec())));
    assert!(block_on(ledger.keep_snapshot(&run, 10, b"".as_slice().into())).is_err());
}

#[test]
fn a_ledger_of_the_first_layout_opens_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let script = script(2);
    let model = model(&script);
    block_on(RedbLedger::open(&path).unwrap().append(script[0].clone())).unwrap();
    assert_eq!(layout(&path, Some(1)), 2);
    // A reader changes nothing; a writer writes as this build does, which an earlier one must not take for damage.
    assert!(contents(&RedbLedger::open_read_only(&path).unwrap()) == model[1]);
    assert_eq!(layout(&path, None), 1);
    block_on(RedbLedger::open(&path).unwrap().append(script[1].clone())).unwrap();
    assert_eq!(layout(&path, Some(3)), 2);
    assert!(matches!(RedbLedger::open(&path), Err(StoreError::Damaged(_))));
    assert!(matches!(RedbLedger::open_read_only(&path), Err(StoreError::Damaged(_))));
    layout(&path, Some(2));
    assert!(contents(&RedbLedger::open(&path).unwrap()) == model[2]);
}

/// The version of a file's layout, which may be set to another one.
fn layout(path: &std::path::Path, set: Option<u32>) -> u32 {
    let database = redb::Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut meta = transaction.open_table(redb::TableDefinition::<&str, u32>::new("meta")).unwrap();
    let found = meta.get("layout").unwrap().unwrap().value();
    if let Some(version) = set {
        meta.insert("layout", version).unwrap();
    }
    drop(meta);
    transaction.commit().unwrap();
    found
}
