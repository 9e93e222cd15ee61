use futures::executor::block_on;
use openthymos::{
    canon::TrajectoryId,
    host::SeededEntropy,
    intent::Intent,
    ledger::{
        RegisterKey,
        register::{Account, ProposalState, Register},
    },
};
use serde_json::json;

use crate::{Altered, common::start, copied, honest::root, in_memory};

/// What the name of a register of a class begins with.
fn named(class: Register) -> &'static str {
    match class {
        Register::Outcome => "outcome register of proposal ",
        Register::Account => "account register of run ",
        Register::Total => "register of the total of writ ",
        Register::Epoch => "epoch register",
        Register::Opened => "register of the opening of run ",
        Register::Contract => "register of contract ",
        Register::BusinessKey => "register of business key ",
        Register::Request => "register of request #",
        other => panic!("{other:?}"),
    }
}

/// The honest store and what its registers are.
fn each(mut change: impl FnMut(&Altered, &RegisterKey, Register)) {
    let (_, copy) = copied();
    let mut classes = Vec::new();
    for key in copy.registers.keys() {
        let class = Register::of(key).unwrap();
        change(&copy, key, class);
        classes.push(class);
    }
    // Nobody delegates in this store: `forged_lineages` has the register of that.
    let absent = |class: &Register| matches!(class, Register::Compensated | Register::Descendants);
    for class in Register::ALL.into_iter().filter(|class| !absent(class)) {
        assert!(classes.contains(&class), "no {class:?} register in this store");
    }
}

#[test]
fn any_register_that_is_gone() {
    each(|copy, key, class| {
        let mut copy = copy.clone();
        copy.registers.remove(key);
        if class == Register::Total {
            // The accounts say the same.
            copy.verify(Default::default()).unwrap();
            return;
        }
        let (name, rebuilt, stored) = copy.register();
        assert!(name.starts_with(named(class)) && rebuilt.is_some() && stored.is_none(), "{name}");
    });
}

#[test]
fn any_register_with_another_value() {
    each(|copy, key, class| {
        let mut changed = copy.registers[key].to_vec();
        *changed.last_mut().unwrap() ^= 1;
        for value in [changed, vec![]] {
            let mut copy = copy.clone();
            copy.registers.insert(key.clone(), value.into());
            let (name, rebuilt, stored) = copy.register();
            assert!(name.starts_with(named(class)) && rebuilt.is_some() && stored.is_some(), "{name}");
            assert_ne!(rebuilt, stored);
        }
    });
}

#[test]
fn any_register_that_no_entry_makes() {
    each(|copy, key, class| {
        let mut bytes = key.as_bytes().to_vec();
        match bytes.get_mut(1) {
            Some(byte) => *byte ^= 1,
            None => bytes.push(0),
        }
        let mut copy = copy.clone();
        let value = copy.registers[key].clone();
        copy.registers.insert(RegisterKey::from(bytes), value);
        let (name, rebuilt, stored) = copy.register();
        assert!(name.starts_with(named(class)) && rebuilt.is_none() && stored.is_some(), "{name}");
    });
    for key in [b"".as_slice(), b"z", b"c0123456789abcdef0123456789abcdef"] {
        let (_, mut copy) = copied();
        copy.registers.insert(RegisterKey::from(key.to_vec()), b"value".as_slice().into());
        assert!(copy.register().0.starts_with("register "));
    }
}

#[test]
fn an_account_that_was_lowered_says_both_sums() {
    let (store, mut copy) = copied();
    copy.spent(&store.child, |spent| openthymos::writ::Amounts { tool_calls: 1, ..spent });
    let (name, rebuilt, stored) = copy.register();
    assert!(name.contains(&store.child.to_string()), "{name}");
    let (rebuilt, stored) = (rebuilt.unwrap(), stored.unwrap());
    assert!(rebuilt.contains("2 tool_calls") && stored.contains("1 tool_calls"), "{rebuilt} {stored}");
}

#[test]
fn an_account_of_nothing_may_be_there_or_not() {
    let store = in_memory();
    let run = start(&store.runtime, &root());
    let key = RegisterKey::account(&root().id(), &run.id());
    let mut copy = Altered::of(&store.ledger);
    assert!(!copy.registers.contains_key(&key));
    copy.registers.insert(key, Account::default().to_bytes());
    copy.verify(Default::default()).unwrap();
}

#[test]
fn the_outcome_of_what_touched_only_the_world() {
    let store = in_memory();
    let run = start(&store.runtime, &root());
    let intent = Intent::act("note", json!({})).seal(&SeededEntropy::new(5)).unwrap();
    block_on(run.submit_sealed(intent)).unwrap();
    let honest = Altered::of(&store.ledger);
    honest.verify(Default::default()).unwrap();
    let known = copied().1.of_class(Register::Outcome);
    let key = honest.of_class(Register::Outcome).into_iter().find(|key| !known.contains(key)).unwrap();
    // It is there where the same intent could come again; that it could is not on record.
    let mut copy = honest.clone();
    copy.registers.remove(&key);
    copy.verify(Default::default()).unwrap();
    copy.registers.insert(key, ProposalState::Concluded { seq: 2 }.to_bytes());
    assert_eq!(copy.register().1.as_deref(), Some("`concluded at seq 1`"));
}

#[test]
fn one_business_key_that_was_done_twice() {
    let (store, mut copy) = copied();
    let claims = copy.of_class(Register::BusinessKey);
    let key = |run: &TrajectoryId| {
        let of = |key: &&RegisterKey| copy.registers[*key][1..33] == *run.as_bytes();
        claims.iter().find(of).unwrap().clone()
    };
    let (pay, refund) = (key(&store.outcomes), key(&store.driven));
    let hex = |key: &RegisterKey| key.as_bytes()[1..].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (done, other) = (hex(&pay), hex(&refund));
    copy.forge(&store.driven, |_, text| text.replace(&other, &done));
    copy.registers.remove(&refund);
    let (name, rebuilt, stored) = copy.register();
    assert_eq!(name, format!("register of business key {done}"));
    let (rebuilt, stored) = (rebuilt.unwrap(), stored.unwrap());
    assert!(rebuilt.contains(&store.driven.to_string()) && stored.contains(&store.outcomes.to_string()), "{stored}");
}
