use std::sync::Arc;

use super::{
    Outcome, ensure,
    sample::{Chain, append, contents, expect, key, registers, said, set},
};
use crate::{
    ledger::{Batch, LedgerStore, RegisterOp, StoreError, register::Account},
    writ::Amounts,
};

pub(super) async fn expectations_compare_with_what_was_before(store: Arc<impl LedgerStore>) -> Outcome {
    for (what, ops) in [
        ("absent, then set", vec![expect(b"a", None), set(b"a", Some(b"1"))]),
        ("set, then the value before", vec![set(b"a", Some(b"2")), expect(b"a", Some(b"1"))]),
        ("an expectation twice", vec![expect(b"a", Some(b"2")), expect(b"a", Some(b"2"))]),
        ("removed, then the value before", vec![set(b"a", None), expect(b"a", Some(b"2"))]),
        ("absent again", vec![expect(b"a", None)]),
    ] {
        append(&*store, registers(ops)).await.map_err(|reason| format!("{what}: {reason}"))?;
    }
    Ok(())
}

pub(super) async fn a_missed_expectation_refuses_the_batch(store: Arc<impl LedgerStore>) -> Outcome {
    let mut chain = Chain::new(1);
    let first = Batch { entries: chain.take(1), registers: vec![set(b"a", Some(b"1")), set(b"empty", Some(b""))] };
    append(&*store, first).await?;
    let before = contents(&*store).await?;
    for (what, missed) in [
        ("another value", expect(b"a", Some(b"2"))),
        ("a longer value", expect(b"a", Some(b"11"))),
        ("an empty value", expect(b"a", Some(b""))),
        ("no value", expect(b"a", None)),
        ("no value where an empty one is", expect(b"empty", None)),
        ("a value where none is", expect(b"b", Some(b"1"))),
        ("an empty value where none is", expect(b"b", Some(b""))),
    ] {
        for met_first in [true, false] {
            let mut ops = vec![set(b"a", Some(b"3")), missed.clone(), set(b"b", Some(b"4"))];
            ops.insert(if met_first { 0 } else { 3 }, expect(b"a", Some(b"1")));
            let expected = missed.key().clone();
            match store.append(Batch { entries: vec![chain.peek(b"next")], registers: ops }).await {
                Err(StoreError::RegisterChanged { key }) if key == expected => {}
                other => return Err(format!("expecting {what} was answered with {other:?}")),
            }
            ensure!(contents(&*store).await? == before, "expecting {what} was refused and changed the store");
        }
    }
    Ok(())
}

pub(super) async fn registers_are_set_and_removed(store: Arc<impl LedgerStore>) -> Outcome {
    let long = [0xff; 200];
    let mut chain = Chain::new(1);
    for (what, ops, at, value) in [
        ("a value", vec![set(b"a", Some(b"1"))], &b"a"[..], Some(&b"1"[..])),
        ("another value", vec![set(b"a", Some(b"2"))], b"a", Some(b"2")),
        ("the last of two values", vec![set(b"a", Some(b"3")), set(b"a", Some(b"4"))], b"a", Some(b"4")),
        ("an empty value", vec![set(b"a", Some(b""))], b"a", Some(b"")),
        ("a removed value", vec![set(b"a", None)], b"a", None),
        ("a value removed and set", vec![set(b"a", None), set(b"a", Some(b"5"))], b"a", Some(b"5")),
        ("a value set and removed", vec![set(b"a", Some(b"6")), set(b"a", None)], b"a", None),
        ("the removal of what is not there", vec![set(b"z", None)], b"z", None),
        ("an empty key", vec![set(b"", Some(b"7"))], b"", Some(b"7")),
        ("a long key and value", vec![set(&long, Some(&long))], &long, Some(&long)),
        ("a key with zero bytes", vec![set(b"\0\0", Some(b"8"))], b"\0\0", Some(b"8")),
    ] {
        append(&*store, Batch { entries: chain.take(1), registers: ops }).await?;
        let found = store.register(&key(at)).await.map_err(said)?;
        ensure!(found.as_deref() == value, "{what} was read as {found:?}");
    }
    Ok(())
}

pub(super) async fn sums_follow_their_accounts(store: Arc<impl LedgerStore>) -> Outcome {
    let amounts = |tokens, tool_calls| Amounts { tokens, tool_calls, ..Amounts::ZERO };
    let account = |spent, held| Account { spent: amounts(spent, 1), held: amounts(0, held) };
    let nothing = Account::default();
    let add = |at: &[u8], before, after| RegisterOp::Add { key: key(at), before, after };
    let begun = || set(b"sum", Some(&nothing.to_bytes()));
    let two = Account { spent: amounts(9, 2), held: amounts(0, 5) };
    for (what, ops, sum) in [
        ("one that is absent", vec![add(b"sum", nothing, account(4, 2))], None),
        ("one that begins in the batch", vec![begun(), add(b"sum", nothing, account(4, 2))], Some(account(4, 2))),
        ("another account", vec![add(b"sum", nothing, account(5, 3))], Some(two)),
        (
            "several changes of one account",
            vec![add(b"sum", account(5, 3), account(7, 0)), add(b"sum", account(7, 0), account(5, 3))],
            Some(two),
        ),
        ("an account that falls", vec![add(b"sum", account(5, 3), nothing)], Some(account(4, 2))),
        ("one that begins anew", vec![add(b"sum", nothing, two), begun()], Some(nothing)),
        ("one that is removed", vec![set(b"sum", None), add(b"sum", nothing, two)], None),
    ] {
        append(&*store, registers(ops)).await.map_err(|reason| format!("{what}: {reason}"))?;
        let found = store.register(&key(b"sum")).await.map_err(said)?;
        ensure!(found == sum.map(|sum: Account| sum.to_bytes()), "the sum, {what}, was read as {found:?}");
    }
    let mut chain = Chain::new(1);
    append(&*store, Batch { entries: chain.take(1), registers: vec![set(b"sum", Some(b"no account"))] }).await?;
    let before = contents(&*store).await?;
    let refused =
        Batch { entries: vec![chain.peek(b"next")], registers: vec![set(b"a", Some(b"1")), add(b"sum", nothing, two)] };
    let outcome = store.append(refused).await;
    ensure!(outcome.is_err(), "a sum of accounts that is none was added to");
    ensure!(contents(&*store).await? == before, "a sum that is none was refused and changed the store");
    Ok(())
}
