//! What must hold of a ledger whatever happened to it, beside the world outside.

use std::collections::{BTreeSet, HashMap};

use futures::executor::block_on;
use openthymos::{
    canon::{BusinessKeyHash, ProposalId, TrajectoryId},
    ledger::{
        LedgerStore, RegisterKey,
        register::{Account, ProposalState, Register, claim_of},
    },
    proposal::Claim,
    replay::{self, Progress, Report, StorePins, Verdict},
    runtime::Runtime,
    writ::Amounts,
};

use super::{host::Host, past::Past};
use crate::common::PLENTY;

/// Checks the whole ledger: it verifies, registers say what entries say, no budget is overdrawn, no effect happened
/// twice, and none without a dispatch. Returns the runs.
pub fn audit(runtime: &Runtime, host: &Host) -> Vec<Past> {
    let ledger = &**runtime.ledger();
    let mut reports = Vec::new();
    let verification = replay::store(ledger, StorePins { rederive: true, ..StorePins::default() }, |progress| {
        if let Progress::Run { outcome: Ok(report), .. } = progress {
            reports.push(report.clone());
        }
    });
    let verified = block_on(verification).unwrap();
    assert_eq!(verified.verdict(), Verdict::Verified, "{verified}");
    let runs: Vec<_> = reports.iter().map(|report| past(ledger, report)).collect();
    outcomes(ledger, &runs);
    claims(ledger, &runs);
    accounts(ledger, &runs);
    effects(host, &runs);
    runs
}

/// A run as the model has it, which is what its replay says.
fn past(ledger: &dyn LedgerStore, report: &Report) -> Past {
    let past = block_on(Past::read(ledger, &report.trajectory)).unwrap();
    let in_doubt: BTreeSet<_> = report.in_doubt.iter().copied().collect();
    assert_eq!(in_doubt, past.in_doubt().into_iter().map(|(dispatch, _)| dispatch).collect());
    assert_eq!((report.spent, report.ended.is_some()), (past.spent, past.ended));
    past
}

/// The registers of a class.
fn registers<T>(ledger: &dyn LedgerStore, of: Register, read: impl Fn(&[u8], &[u8]) -> T) -> Vec<T> {
    let found = block_on(ledger.registers(RegisterKey::all(of).as_bytes(), None, usize::MAX)).unwrap();
    found.iter().map(|(key, value)| read(&key.as_bytes()[1..], value)).collect()
}

fn outcomes(ledger: &dyn LedgerStore, runs: &[Past]) {
    let found = registers(ledger, Register::Outcome, |key, value| {
        (ProposalId(key.try_into().unwrap()), ProposalState::from_bytes(value).unwrap())
    });
    let found: HashMap<_, _> = found.into_iter().collect();
    for dispatched in runs.iter().flat_map(|past| past.dispatches.values()) {
        let state = match dispatched.concluded {
            Some(seq) => ProposalState::Concluded { seq },
            None => ProposalState::Dispatched { seq: dispatched.seq },
        };
        assert_eq!(found.get(&dispatched.proposal), Some(&state), "{dispatched:?}");
    }
}

fn claims(ledger: &dyn LedgerStore, runs: &[Past]) {
    let found = registers(ledger, Register::BusinessKey, |key, value| {
        (BusinessKeyHash(key.try_into().unwrap()), claim_of(value).unwrap())
    });
    let said: HashMap<BusinessKeyHash, Claim> = runs.iter().flat_map(|past| past.claims.clone()).collect();
    assert_eq!(found.into_iter().collect::<HashMap<_, _>>(), said);
}

fn accounts(ledger: &dyn LedgerStore, runs: &[Past]) {
    let found = registers(ledger, Register::Account, |key, value| {
        let run = TrajectoryId(key[32..].try_into().unwrap());
        ((key[..32].to_vec(), run), Account::from_bytes(value).unwrap())
    });
    let found: HashMap<_, _> = found.into_iter().collect();
    let mut used = HashMap::new();
    for past in runs {
        for writ in &past.writs {
            let account = found.get(&(writ.as_bytes().to_vec(), past.run)).copied().unwrap_or_default();
            assert_eq!((account.spent, account.held), (past.spent, past.held), "{}", past.run);
            let sum = used.entry(*writ).or_insert(Amounts::ZERO);
            *sum = sum.plus(&account.spent).plus(&account.held);
        }
    }
    assert!(used.values().all(|used| used.exceeds(&PLENTY).is_none()), "{used:?}");
}

fn effects(host: &Host, runs: &[Past]) {
    let dispatched: BTreeSet<_> =
        runs.iter().flat_map(|past| past.dispatches.values()).map(|dispatch| dispatch.proposal).collect();
    let mut seen = BTreeSet::new();
    for effect in host.outside.effects() {
        assert!(seen.insert(effect.proposal), "{effect:?} happened twice");
        assert!(dispatched.contains(&effect.proposal), "{effect:?} has no dispatch");
    }
}

/// What entries say that is spent and held in all.
pub fn used(runs: &[Past]) -> Amounts {
    runs.iter().fold(Amounts::ZERO, |sum, past| sum.plus(&past.spent).plus(&past.held))
}
