use openthymos::{
    canon::{EntryId, StoreId, TrajectoryId},
    crypto::Purpose,
    ledger::{Entry, Header, Kind, Position, RegisterKey, register::Register},
    replay::{FaultKind, Kept, ReplayError, StoreFault, StorePins, Verdict},
};

use crate::{
    Altered,
    common::{AGENT, RUNTIME, key, start, whole},
    copied, in_memory,
};

/// What is kept of a store elsewhere: its last entry.
fn kept(copy: &Altered) -> StorePins {
    let (position, entry) = copy.log.last().unwrap();
    StorePins { kept: vec![Kept { position: Position(*position), entry: entry.id() }], ..StorePins::default() }
}

fn is_gap(fault: &StoreFault, at: u64) -> bool {
    matches!(fault, StoreFault::Gap { expected, .. } if *expected == at)
}

#[test]
fn a_run_that_was_deleted_with_its_registers() {
    let (store, honest) = copied();
    for run in [store.child, store.left] {
        let mut copy = honest.clone();
        copy.take_out(&run, 0);
        copy.registers.retain(|key, _| !key.as_bytes().ends_with(run.as_bytes()));
        for closed in [false, true] {
            if closed {
                copy.close_gaps();
            }
            let (runs, outcome) = copy.told();
            assert!(
                matches!(&outcome, Err(ReplayError::Whole(fault)) if matches!(**fault, StoreFault::Gone { run: of, .. } if of == run)),
                "{outcome:?}"
            );
            // The others are told of all the same.
            assert_eq!(runs.iter().filter(|(_, good)| *good).count(), 4);
            assert!(runs.contains(&(run, false)));
        }
    }
}

#[test]
fn a_gap_is_told_before_a_page_that_cannot_be_read() {
    let (_, honest) = copied();
    let mut copy = Altered { unreadable: 70, ..honest };
    assert!(copy.log.len() > 70, "{}", copy.log.len());
    assert!(matches!(copy.error(), ReplayError::Store(_)));
    copy.read = Some(copy.log.iter().map(|(_, entry)| entry.clone()).collect());
    copy.log.remove(10);
    assert!(is_gap(&copy.fault(), 10), "{}", copy.fault());
}

#[test]
fn the_end_of_a_run_that_was_deleted_with_its_registers() {
    let (store, honest) = copied();
    // The last entry of this run is the last of the store, the one before stands among others.
    let mut copy = honest.clone();
    let seq = copy.heads[&store.child].seq;
    let at = copy.position(&store.child, seq);
    copy.take_out(&store.child, seq);
    assert!(is_gap(&copy.fault(), at), "{}", copy.fault());
    // Closing the gap moves all that came later: who kept one entry of it sees that.
    copy.close_gaps();
    let fault = copy.verify(kept(&honest)).unwrap_err();
    assert!(matches!(&fault, ReplayError::Whole(fault) if matches!(**fault, StoreFault::Kept { .. })), "{fault}");
}

#[test]
fn a_store_that_was_cut_or_rolled_back() {
    let store = in_memory();
    let earlier = Altered::of(&store.ledger);
    let run = start(&store.runtime, &crate::honest::root());
    crate::common::submit(&run, "send", serde_json::json!({}));
    let later = Altered::of(&store.ledger);
    // In itself the old copy is whole: only what somebody kept tells that it is not the last.
    assert!(earlier.verify(StorePins::default()).unwrap().pinned.is_none());
    let fault = earlier.verify(kept(&later)).unwrap_err().to_string();
    let position = later.log.last().unwrap().0;
    assert!(fault.starts_with(&format!("position {position} holds nothing")), "{fault}");
    // A store that went on still has what was kept of it.
    let report = later.verify(kept(&earlier)).unwrap();
    assert_eq!(report.pinned, Some(kept(&earlier).kept[0]));
    assert!(report.to_string().contains("pinned at"), "{report}");
}

#[test]
fn a_kept_entry_in_another_place() {
    let (_, copy) = copied();
    let mut pins = kept(&copy);
    pins.kept[0].entry = EntryId([7; 32]);
    let fault = copy.verify(pins.clone()).unwrap_err().to_string();
    assert!(fault.contains("was kept of it"), "{fault}");
    pins.kept[0].position = Position(u64::MAX);
    assert!(copy.verify(pins).unwrap_err().to_string().contains("holds nothing"));
}

#[test]
fn another_store_and_another_key_than_the_pinned_ones() {
    let (_, copy) = copied();
    let signer = Some(key(RUNTIME).public_key());
    let report = copy.verify(StorePins { signer, ..StorePins::default() }).unwrap();
    assert!(report.signer_pinned && report.store == copy.log[0].1.header.store);
    let other = StorePins { signer: Some(key(AGENT).public_key()), ..StorePins::default() };
    assert!(matches!(copy.verify(other), Err(ReplayError::Fault(_))));
    let other = StorePins { store: Some(StoreId([1; 32])), ..StorePins::default() };
    assert!(matches!(copy.verify(other), Err(ReplayError::Pin { what: "the store", .. })));
}

#[test]
fn heads_of_two_runs_in_each_others_place() {
    let (store, mut copy) = copied();
    let (one, other) = (copy.heads[&store.child], copy.heads[&store.driven]);
    copy.heads.insert(store.child, other);
    copy.heads.insert(store.driven, one);
    assert!(matches!(copy.fault(), StoreFault::Head { .. }), "{}", copy.fault());
}

#[test]
fn a_head_that_is_gone_or_stands_elsewhere_or_leads_to_no_run() {
    let (store, honest) = copied();
    let mut copy = honest.clone();
    copy.heads.remove(&store.child);
    assert!(matches!(copy.fault(), StoreFault::Head { trajectory, stored: None, .. } if trajectory == store.child));
    let mut copy = honest.clone();
    copy.heads.get_mut(&store.child).unwrap().position = Position(0);
    assert!(matches!(copy.fault(), StoreFault::Head { trajectory, .. } if trajectory == store.child));
    let mut copy = honest.clone();
    let stranger = TrajectoryId([9; 32]);
    copy.heads.insert(stranger, honest.heads[&store.child]);
    assert!(matches!(copy.fault(), StoreFault::Head { trajectory, last: None, .. } if trajectory == stranger));
    let mut copy = honest.clone();
    copy.listed = Some(honest.heads.iter().map(|(id, head)| (*id, *head)).skip(1).collect());
    assert!(matches!(copy.fault(), StoreFault::List { .. }), "{}", copy.fault());
}

#[test]
fn a_run_that_was_never_opened() {
    let (store, _) = copied();
    let run = start(&store.runtime, &crate::honest::root()).id();
    let mut copy = Altered::of(&store.ledger);
    // Its opening is the last entry of the authority.
    let authority = copy.log[0].1.header.trajectory;
    copy.take_out(&authority, copy.heads[&authority].seq);
    copy.registers.remove(&RegisterKey::opened(&run));
    copy.close_gaps();
    assert!(matches!(copy.fault(), StoreFault::Unopened(of) if of == run), "{}", copy.fault());
}

#[test]
fn any_entry_of_the_log_that_is_missing_doubled_or_moved() {
    let (_, honest) = copied();
    for at in 0..honest.log.len() {
        let mut copy = honest.clone();
        copy.read = Some(honest.log.iter().map(|(_, entry)| entry.clone()).collect());
        copy.log.remove(at);
        let last = at + 1 == honest.log.len();
        let gap = match copy.error() {
            ReplayError::Whole(fault) => is_gap(&fault, at as u64) || last && matches!(*fault, StoreFault::Log { .. }),
            // Without its first entry a store has no authority that could be checked.
            ReplayError::Fault(_) => at == 0,
            _ => false,
        };
        assert!(gap, "position {at} removed: {}", copy.error());

        let mut copy = honest.clone();
        copy.read = Some(honest.log.iter().map(|(_, entry)| entry.clone()).collect());
        copy.log.insert(at, honest.log[at].clone());
        copy.close_gaps();
        match copy.error() {
            ReplayError::Whole(fault) => {
                let found = matches!(*fault, StoreFault::Entry { position, .. } if position == at as u64 + 1);
                assert!(found, "position {at} doubled: {fault}");
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn entries_of_one_run_in_each_others_place() {
    let (store, honest) = copied();
    let (first, second) = (honest.position(&store.outcomes, 1), honest.position(&store.outcomes, 2));
    let mut copy = honest.clone();
    copy.read = Some(honest.log.iter().map(|(_, entry)| entry.clone()).collect());
    let swapped = copy.log[second as usize].1.clone();
    copy.log[second as usize].1 = std::mem::replace(&mut copy.log[first as usize].1, swapped);
    assert!(matches!(copy.fault(), StoreFault::Entry { position, .. } if position == first), "{}", copy.fault());
}

#[test]
fn an_entry_that_reads_well_in_its_run_and_not_in_the_log() {
    let (_, honest) = copied();
    for at in 0..honest.log.len() {
        let mut copy = honest.clone();
        copy.read = Some(honest.log.iter().map(|(_, entry)| entry.clone()).collect());
        let mut record = copy.log[at].1.record.to_vec();
        *record.last_mut().unwrap() ^= 1;
        copy.log[at].1.record = record.into();
        match copy.error() {
            ReplayError::Whole(fault) => {
                assert!(matches!(*fault, StoreFault::Entry { position, .. } if position == at as u64), "{fault}");
            }
            // Another genesis is another store.
            ReplayError::Fault(_) => assert_eq!(at, 0),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn any_entry_of_the_authority_that_is_changed_or_left_out() {
    let (_, honest) = copied();
    let authority = honest.log[0].1.header.trajectory;
    for (position, entry) in honest.entries(&authority) {
        let mut copy = honest.clone();
        let entry_at = &mut copy.log[position as usize].1;
        entry_at.signature = Some(key(AGENT).sign(Purpose::Entry, entry.id().as_bytes()));
        assert!(matches!(copy.error(), ReplayError::Fault(fault) if fault.seq == entry.header.seq));
        if position > 0 && entry.header.seq < honest.heads[&authority].seq {
            let mut copy = honest.clone();
            copy.log.remove(position as usize);
            copy.close_gaps();
            assert!(matches!(copy.error(), ReplayError::Fault(fault) if fault.seq == entry.header.seq + 1));
        }
    }
}

#[test]
fn an_entry_of_an_unknown_kind_is_incomplete_and_no_success() {
    let (store, mut copy) = copied();
    let (at, entry) = copy.entries(&store.left).pop().unwrap();
    assert_ne!(entry.header.known_kind(), None);
    copy.log[at as usize].1.header.kind = 60;
    copy.forge(&store.left, |_, text| text);
    let report = copy.verify(StorePins::default()).unwrap();
    assert_eq!(report.verdict(), Verdict::Incomplete);
    assert!(report.to_string().starts_with("INCOMPLETE (run "), "{report}");
    assert!(report.incomplete.iter().any(|reason| reason.contains("registers were not compared")), "{report:?}");
}

#[test]
fn a_run_that_does_not_hold_is_named_and_the_others_are_told_of() {
    let (store, mut copy) = copied();
    let (at, _) = copy.entries(&store.child).remove(2);
    copy.log[at as usize].1.signature = Some(key(AGENT).sign(Purpose::Entry, &[0; 32]));
    let (runs, outcome) = copy.told();
    assert!(matches!(&outcome, Err(ReplayError::Run { run, .. }) if *run == store.child), "{outcome:?}");
    assert_eq!(runs.iter().map(|(run, good)| (*run == store.child, *good)).filter(|(of, good)| of == good).count(), 0);
    assert_eq!(runs.len(), 5);
}

#[test]
fn kinds_of_the_authority_are_all_there() {
    let (store, copy) = copied();
    let authority = copy.log[0].1.header.trajectory;
    let opened =
        copy.entries(&authority).iter().filter(|(_, e)| e.header.known_kind() == Some(Kind::RunOpened)).count();
    assert_eq!((opened, copy.of_class(Register::Opened).len()), (5, 5));
    assert_eq!(whole(&*store.ledger).signers.len(), 1);
}

/// Changes a header, and signs it with the runtime's key.
fn forged(entry: &mut Entry, change: impl FnOnce(&mut Header)) {
    change(&mut entry.header);
    entry.signature = Some(key(RUNTIME).sign(Purpose::Entry, entry.id().as_bytes()));
}

#[test]
fn even_with_the_runtimes_key_the_log_and_the_authority_are_chains() {
    let (store, honest) = copied();
    let authority = honest.log[0].1.header.trajectory;
    let last = |run| honest.position(run, honest.heads[run].seq) as usize;
    let changes: [fn(&mut Header); 2] = [|header| header.seq += 1, |header| header.parent = EntryId([7; 32])];
    for (change, seq) in changes.into_iter().zip([true, false]) {
        let of =
            |reason: &FaultKind| matches!((reason, seq), (FaultKind::Seq { .. }, true) | (FaultKind::Parent, false));
        let mut copy = honest.clone();
        forged(&mut copy.log[last(&authority)].1, change);
        assert!(matches!(copy.error(), ReplayError::Fault(fault) if of(&fault.reason)));

        let mut copy = honest.clone();
        copy.read = Some(honest.log.iter().map(|(_, entry)| entry.clone()).collect());
        forged(&mut copy.log[last(&store.child)].1, change);
        assert!(matches!(copy.fault(), StoreFault::Entry { fault, .. } if of(&fault.reason)));
    }
}

#[test]
fn a_run_that_was_opened_twice() {
    let (store, mut copy) = copied();
    let authority = copy.log[0].1.header.trajectory;
    let opening = copy.entries(&authority).into_iter().find(|(_, e)| e.header.known_kind() == Some(Kind::RunOpened));
    let (mut again, last) = (opening.unwrap().1, copy.entries(&authority).pop().unwrap().1);
    forged(&mut again, |header| {
        (header.seq, header.parent, header.authority) = (last.header.seq + 1, last.id(), last.header.authority);
    });
    copy.log.push((copy.log.len() as u64, again));
    copy.heads_anew();
    assert!(matches!(copy.error(), ReplayError::Fault(fault) if matches!(fault.reason, FaultKind::Misplaced)));
    drop(store);
}
