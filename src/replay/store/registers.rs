use std::collections::{BTreeMap, HashSet};

use super::{
    Authority, PAGE, StoreFault,
    lane::{Lane, Settled, Waiting},
    log::Log,
    purse::Purse,
};
use crate::{
    canon::{Bytes, ContractHash, ProposalId, TrajectoryId, WritId},
    ledger::{
        LedgerStore, Position, Register, RegisterKey, StoreError,
        register::{Account, Epoch, ProposalState, claim_bytes, claim_of, seq_bytes, seq_of},
    },
    proposal::ClaimState,
    replay::{ReplayError, pages::PageSize, whole::Whole},
    writ::{Amounts, Dimension},
};

/// How many registers of proposals, business keys and undone effects were found as the entries make them, each another one: a second
/// dispatch of a proposal, or a second call that did what one key names, would have to find itself in the same register.
#[derive(Default)]
pub(super) struct Lookups {
    outcomes: u64,
    claims: u64,
    compensated: u64,
}

impl Lookups {
    pub(super) async fn settled(&mut self, store: &dyn LedgerStore, settled: &Settled) -> Result<(), ReplayError> {
        if let Some((proposal, state)) = &settled.outcome {
            let (key, name) = (RegisterKey::outcome(proposal), || format!("outcome register of proposal {proposal}"));
            if !settled.optional || store.register(&key).await?.is_some() {
                expect(store, &key, Some(state.to_bytes()), name).await?;
                self.outcomes += 1;
            }
        }
        if let Some((key, claim)) = &settled.claim {
            let name = || format!("register of business key {key}");
            expect(store, &RegisterKey::business_key(key), Some(claim_bytes(claim)), name).await?;
            self.claims += 1;
        }
        if let Some((undone, claim)) = &settled.compensated {
            let name = || format!("register of the undoing of entry {undone}");
            expect(store, &RegisterKey::compensated(undone), Some(claim_bytes(claim)), name).await?;
            self.compensated += 1;
        }
        Ok(())
    }
}

/// Compares every register with what the entries make it. Returns how many there are.
pub(super) async fn compare(store: &dyn LedgerStore, authority: &Authority, log: &Log) -> Result<u64, ReplayError> {
    let state = authority.log.state();
    let epoch = Epoch { entry: state.epoch, seq: state.epoch_seq };
    expect(store, &RegisterKey::epoch(), Some(epoch.to_bytes()), || "epoch register".into()).await?;
    for (run, seq) in &authority.openings {
        let name = || format!("register of the opening of run {run}");
        expect(store, &RegisterKey::opened(run), Some(seq_bytes(*seq)), name).await?;
    }
    for (contract, seq) in &authority.contracts {
        let name = || format!("register of contract {contract}");
        expect(store, &RegisterKey::contract(contract), Some(seq_bytes(*seq)), name).await?;
    }
    for (run, lane) in &log.lanes {
        for (purse, writ) in writs(log, lane) {
            let used = (purse.used != Account::default()).then(|| purse.used.to_bytes());
            let key = match &purse.presented {
                Some(presented) => RegisterKey::undo_account(&writ, run, presented),
                None => RegisterKey::account(&writ, run),
            };
            expect(store, &key, used, || account(&writ, run)).await?;
        }
        for Waiting { seq, proposal, .. } in &lane.waiting {
            let (key, value) = (RegisterKey::request(run, *seq), Some(proposal.as_bytes().as_slice().into()));
            expect(store, &key, value, || request(run, *seq)).await?;
        }
    }
    for (top, count) in log.lineages.descendants() {
        let name = || descendants(top);
        expect(store, &RegisterKey::descendants(top), Some(seq_bytes(count)), name).await?;
    }
    for (writ, total) in totals(log) {
        let key = RegisterKey::total(&writ);
        // Where it is absent, the accounts are summed up when they are needed.
        if store.register(&key).await?.is_some() {
            expect(store, &key, Some(total.to_bytes()), || format!("register of the total of writ {writ}")).await?;
        }
    }
    no_others(store, authority, log).await
}

/// The sum of the accounts under each writ.
fn totals(log: &Log) -> BTreeMap<WritId, Account> {
    let mut totals = BTreeMap::<_, Account>::new();
    for lane in log.lanes.values() {
        for (purse, writ) in writs(log, lane) {
            let total = totals.entry(writ).or_default();
            *total = total.add(&Account::default(), &purse.used);
        }
    }
    totals
}

/// The writs that a trajectory uses, each with what it is used as.
fn writs<'a>(log: &'a Log, lane: &'a Lane) -> impl Iterator<Item = (&'a Purse, WritId)> {
    let of = move |purse: &'a Purse| purse.chain.iter().filter_map(move |at| Some((purse, log.accounts.writ(*at)?)));
    lane.purses.iter().flat_map(of)
}

fn account(writ: &WritId, run: &TrajectoryId) -> String {
    format!("account register of run {run} under writ {writ}")
}

/// Checks that there is no register that no entry makes.
async fn no_others(store: &dyn LedgerStore, authority: &Authority, log: &Log) -> Result<u64, ReplayError> {
    let (mut outcomes, mut claims, mut compensated, mut all, mut after) = (0, 0, 0, 0, None);
    loop {
        let page = store.registers(&[], after.as_ref(), PAGE).await?;
        for (key, value) in &page {
            all += 1;
            match (Register::of(key), id(key)) {
                (Some(Register::Outcome), _) => outcomes += 1,
                (Some(Register::BusinessKey), _) => claims += 1,
                (Some(Register::Compensated), _) => compensated += 1,
                (Some(Register::Epoch), _) if *key == RegisterKey::epoch() => {}
                (Some(Register::Opened), Some(run)) if authority.log.opened(&TrajectoryId(run)).is_some() => {}
                (Some(Register::Contract), Some(hash)) if authority.contracts.contains_key(&ContractHash(hash)) => {}
                (Some(Register::Request), _) if waits(log, key) => {}
                (Some(Register::Account), _) if is_account(log, key) => {}
                (Some(Register::Descendants), Some(top))
                    if log.lineages.descendants().any(|(of, _)| *of == TrajectoryId(top)) => {}
                (Some(Register::Total), Some(writ)) if log.accounts.has(&WritId(writ)) => {}
                _ => return Err(extra(key, value).into()),
            }
        }
        match page.into_iter().nth(PAGE - 1) {
            Some((last, _)) => after = Some(last),
            None => break,
        }
    }
    let Lookups { outcomes: made, claims: had, compensated: undone } = log.lookups;
    if (outcomes, claims, compensated) != (made, had, undone) {
        return Err(name_extra(store).await?.into());
    }
    Ok(all)
}

/// The id that is all of a key behind its class.
fn id(key: &RegisterKey) -> Option<[u8; 32]> {
    key.as_bytes().get(1..)?.try_into().ok()
}

fn descendants(top: &TrajectoryId) -> String {
    format!("register of the runs below run {top}")
}

fn request(run: &TrajectoryId, seq: u64) -> String {
    format!("register of request #{seq} of run {run}")
}

fn waits(log: &Log, key: &RegisterKey) -> bool {
    let Some((run, seq)) = key.as_request() else { return false };
    log.lanes.get(&run).is_some_and(|lane| lane.waiting.iter().any(|waiting| waiting.seq == seq))
}

fn is_account(log: &Log, key: &RegisterKey) -> bool {
    let ids = key.as_bytes().get(1..).and_then(|ids| ids.split_first_chunk::<32>());
    let Some((writ, (run, presented))) = ids.and_then(|(writ, ids)| Some((writ, ids.split_first_chunk::<32>()?)))
    else {
        return false;
    };
    let of = |(purse, of): (&Purse, WritId)| {
        of == WritId(*writ) && presented == purse.presented.as_ref().map_or(&[][..], |writ| writ.as_bytes())
    };
    log.lanes.get(&TrajectoryId(*run)).is_some_and(|lane| writs(log, lane).any(of))
}

/// Finds a register of a proposal or a business key that no entry makes. It is known that there is one, so the log is read
/// again, this time with all keys kept.
async fn name_extra(store: &dyn LedgerStore) -> Result<StoreFault, ReplayError> {
    let (mut lanes, mut made) = (std::collections::HashMap::new(), HashSet::new());
    let mut keep = |settled: &Settled| {
        made.extend(settled.outcome.as_ref().map(|(proposal, _)| RegisterKey::outcome(proposal)));
        made.extend(settled.claim.as_ref().map(|(key, _)| RegisterKey::business_key(key)));
        made.extend(settled.compensated.as_ref().map(|(undone, _)| RegisterKey::compensated(undone)));
    };
    let (mut position, mut size) = (0, PageSize::new());
    loop {
        let page = store.scan(Position(position), size.get()).await?;
        for (at, entry) in &page {
            let trajectory = entry.header.trajectory;
            let lane = lanes.entry(trajectory).or_insert_with(|| Lane::new(trajectory, vec![]));
            if let Ok(step) = lane.push(*at, entry, &Whole::of(entry)) {
                keep(&step.settled);
            }
            position += 1;
        }
        if size.read(page.iter().map(|(_, entry)| entry.bytes())) {
            break;
        }
    }
    lanes.values().flat_map(Lane::in_doubt).for_each(|settled| keep(&settled));
    for class in [Register::Outcome, Register::BusinessKey, Register::Compensated] {
        let (prefix, mut after) = (RegisterKey::all(class), None);
        loop {
            let page = store.registers(prefix.as_bytes(), after.as_ref(), PAGE).await?;
            if let Some((key, value)) = page.iter().find(|(key, _)| !made.contains(key)) {
                return Ok(extra(key, value));
            }
            match page.into_iter().nth(PAGE - 1) {
                Some((last, _)) => after = Some(last),
                None => break,
            }
        }
    }
    Err(StoreError::Damaged("registers changed while they were read".into()).into())
}

fn extra(key: &RegisterKey, value: &[u8]) -> StoreFault {
    let bytes = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let rest = bytes(key.as_bytes().get(1..).unwrap_or_default());
    let register = match Register::of(key) {
        Some(Register::Request) => match key.as_request() {
            Some((run, seq)) => request(&run, seq),
            None => format!("register of request {rest}"),
        },
        Some(Register::Outcome) => format!("outcome register of proposal {rest}"),
        Some(Register::BusinessKey) => format!("register of business key {rest}"),
        Some(Register::Compensated) => format!("register of the undoing of entry {rest}"),
        Some(Register::Opened) => format!("register of the opening of run {rest}"),
        Some(Register::Contract) => format!("register of contract {rest}"),
        Some(Register::Descendants) => format!("register of the runs below run {rest}"),
        Some(Register::Epoch) => format!("epoch register {rest}"),
        Some(Register::Total) => format!("register of the total of writ {rest}"),
        Some(Register::Account) => {
            let (writ, run) = rest.split_at_checked(64).unwrap_or((&rest, ""));
            format!("account register of run {run} under writ {writ}")
        }
        _ => format!("register {}", bytes(key.as_bytes())),
    };
    StoreFault::Register { register, rebuilt: None, stored: Some(words(key, value)) }
}

/// Checks what a register holds. An account of nothing may be absent.
async fn expect(
    store: &dyn LedgerStore,
    key: &RegisterKey,
    rebuilt: Option<Bytes>,
    name: impl FnOnce() -> String,
) -> Result<(), ReplayError> {
    let stored = store.register(key).await?;
    let nothing = || stored.as_deref() == Some(&*Account::default().to_bytes()) && rebuilt.is_none();
    if stored == rebuilt || nothing() {
        return Ok(());
    }
    let told = |value: Option<Bytes>| value.map(|value| words(key, &value));
    let register = name();
    Err(StoreFault::Register { register, rebuilt: told(rebuilt), stored: told(stored) }.into())
}

/// A register's value in words.
fn words(key: &RegisterKey, value: &[u8]) -> String {
    let told = match Register::of(key) {
        Some(Register::Account | Register::Total) => Account::from_bytes(value)
            .map(|Account { spent, held }| format!("`spent {}, held {}`", amounts(&spent), amounts(&held))),
        Some(Register::Outcome) => ProposalState::from_bytes(value).map(|state| match state {
            ProposalState::Dispatched { seq } => format!("`dispatched at seq {seq}`"),
            ProposalState::Concluded { seq } => format!("`concluded at seq {seq}`"),
        }),
        Some(Register::BusinessKey | Register::Compensated) => claim_of(value).map(|claim| match claim.state {
            ClaimState::InDoubt => format!("`in doubt, dispatched at {claim}`"),
            ClaimState::Done => format!("`done at {claim}`"),
        }),
        Some(Register::Epoch) => {
            Epoch::from_bytes(value).map(|Epoch { entry, seq }| format!("`entry {} at seq {seq}`", entry.short()))
        }
        Some(Register::Opened | Register::Contract) => seq_of(value).map(|seq| format!("`seq {seq}`")),
        Some(Register::Descendants) => seq_of(value).map(|count| format!("`{count}`")),
        Some(Register::Request) => match value.try_into() {
            Ok(proposal) => Ok(format!("`proposal {}`", ProposalId(proposal))),
            Err(_) => Err(StoreError::Damaged(String::new())),
        },
        _ => Err(StoreError::Damaged(String::new())),
    };
    told.unwrap_or_else(|_| format!("`{} bytes that are no value of it`", value.len()))
}

fn amounts(amounts: &Amounts) -> String {
    let told = |dimension: Dimension| match amounts.get(dimension) {
        0 => None,
        amount => Some(format!("{amount} {}", dimension.as_str())),
    };
    let told: Vec<_> = Dimension::ALL.into_iter().filter_map(told).collect();
    if told.is_empty() { "nothing".into() } else { told.join(" + ") }
}
