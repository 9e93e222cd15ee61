use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use super::Gap;
use crate::{
    canon::{ContractHash, PolicySetHash},
    contract::{ContractSet, SealedContract},
    ledger::{Entry, Kind, record::PolicySetRecord},
    policy::PolicySet,
    replay::AuthorityLog,
};

/// The contracts and policy sets of a ledger, each made ready for compiles when it is first needed: a schema is compiled and a
/// bundle's signature checked once, however many runs there are.
#[derive(Debug, Default)]
pub(in crate::replay) struct Definitions {
    contracts: Ready<ContractHash, SealedContract>,
    policies: Ready<PolicySetHash, PolicySet>,
}

impl Definitions {
    /// The contracts of these hashes, as they were registered together.
    pub(super) fn contracts(&self, log: &AuthorityLog, hashes: &[ContractHash]) -> Result<ContractSet, Gap> {
        let mut set = ContractSet::default();
        for hash in hashes {
            let make = || SealedContract::new(log.contract(hash)?.clone()).ok();
            let contract = self.contracts.get(*hash, make).ok_or(Gap::Contract(*hash))?;
            set.insert(contract).map_err(|_| Gap::Contract(*hash))?;
        }
        Ok(set)
    }

    /// The policy set of that hash.
    pub(super) fn policies(&self, log: &AuthorityLog, hash: PolicySetHash) -> Result<PolicySet, Gap> {
        let recorded = |entry: &Entry| {
            let set = (entry.header.known_kind() == Some(Kind::PolicySet)).then(|| entry.body::<PolicySetRecord>());
            set?.ok().filter(|set| set.hash == hash)
        };
        let make = || {
            let definition = log.epochs().iter().find_map(recorded)?.definition;
            PolicySet::without_engines(serde_json::from_value(definition).ok()?).ok()
        };
        self.policies.get(hash, make).ok_or(Gap::PolicySet(hash))
    }
}

/// What was made ready, or could not be, by what names it.
#[derive(Debug)]
pub(in crate::replay) struct Ready<K, V>(Mutex<HashMap<K, Option<V>>>);

impl<K, V> Default for Ready<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Ready<K, V> {
    pub(in crate::replay) fn get(&self, key: K, make: impl FnOnce() -> Option<V>) -> Option<V> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.entry(key).or_insert_with(make).clone()
    }
}
