//! What became of a proposal before, read back from the ledger.

use serde_json::Value;

use super::{Submitted, error::RunError, journal::Journal, past, run::Inner};
use crate::{
    canon::{Commitment, ContractHash},
    commit::Commit,
    intent::SealedIntent,
    ledger::{
        Entry, Kind, LedgerStore, Register, RegisterKey, StoreError,
        record::{Failure, FailureCause, HappenedVerdict, InDoubtResolution, WhatHappened},
        register::ProposalState,
    },
    proposal::{Plan, Resolved},
};

/// How many registers are read at a time.
const PAGE: usize = 512;

/// What became of the proposal that a sealed intent makes, where it was carried out before.
pub(super) async fn earlier(
    inner: &Inner,
    journal: &Journal,
    intent: &SealedIntent,
) -> Result<Option<Submitted>, RunError> {
    let core = &inner.core;
    if let Some(child) = journal.children.of(&intent.id()) {
        return Ok(Some(Submitted::Delegated { entry: child.delegation, seq: child.seq, child: child.run }));
    }
    let (trajectory, writ) = (journal.trajectory, journal.chain.id());
    let mut found = None;
    // The tool may have had another contract then: the proposal is that of any contract that was ever recorded.
    for contract in recorded_contracts(&*core.store).await? {
        let resolved = Resolved::new(trajectory, intent.id(), writ, contract, Plan::Call)?;
        found = core.store.register(&RegisterKey::outcome(&resolved.id)).await?;
        if found.is_some() {
            break;
        }
    }
    let Some(value) = found else { return Ok(None) };
    let seq = match ProposalState::from_bytes(&value)? {
        ProposalState::Dispatched { seq } | ProposalState::Concluded { seq } => seq,
    };
    let (mut earlier, head) = (None, (journal.last_seq(), journal.head));
    let visit = |entry: &Entry| {
        if entry.header.seq == seq {
            earlier = Some(read(entry)?);
        }
        Ok(())
    };
    past::read(&*core.store, &trajectory, seq, head, visit).await?;
    Ok(earlier)
}

/// The contracts of all tools that were ever registered.
async fn recorded_contracts(store: &dyn LedgerStore) -> Result<Vec<ContractHash>, StoreError> {
    let (class, mut contracts, mut after) = (RegisterKey::all(Register::Contract), Vec::new(), None);
    loop {
        let page = store.registers(class.as_bytes(), after.as_ref(), PAGE).await?;
        let hash = |(key, _): &(RegisterKey, _)| key.as_bytes().last_chunk::<32>().copied().map(ContractHash);
        contracts.extend(page.iter().filter_map(hash));
        match page.into_iter().nth(PAGE - 1) {
            Some((last, _)) => after = Some(last),
            None => return Ok(contracts),
        }
    }
}

fn read(entry: &Entry) -> Result<Submitted, RunError> {
    let (id, seq) = (entry.id(), entry.header.seq);
    let failed =
        |cause, message: &str, effect| Submitted::Failed { entry: id, seq, cause, message: message.into(), effect };
    Ok(match entry.header.known_kind() {
        Some(Kind::Commit) => {
            let Commit { cost, observation, .. } = entry.body()?;
            Submitted::Committed { entry: id, seq, output: value(entry, &observation.output), cost }
        }
        Some(Kind::Failure) => {
            let Failure { cause, detail, effect, .. } = entry.body()?;
            let message = detail.map_or(Value::Null, |detail| value(entry, &detail));
            failed(cause, message.as_str().unwrap_or_default(), effect)
        }
        Some(Kind::InDoubtResolution) => {
            let resolution: InDoubtResolution = entry.body()?;
            let effect = match resolution.verdict {
                HappenedVerdict::Happened => WhatHappened::Happened,
                HappenedVerdict::NotDone => WhatHappened::None,
            };
            failed(FailureCause::Interrupted, "its effect was in doubt, and that was settled", effect)
        }
        Some(Kind::Dispatch) => {
            failed(FailureCause::Interrupted, "it was dispatched, and its outcome is not known", WhatHappened::Unknown)
        }
        _ => return Err(StoreError::Damaged(format!("entry {seq} is no outcome")).into()),
    })
}

/// A value of an entry; null when it was erased.
fn value(entry: &Entry, commitment: &Commitment) -> Value {
    entry.blob(commitment).and_then(|blob| blob.value().ok()).unwrap_or(Value::Null)
}
