//! Even with the runtime's key: what a decision was made from, or what it says, cannot be changed alone.

use openthymos::{
    canon::{Blob, Salt, TrajectoryId, canonical_value},
    ledger::{Entry, Kind, StoredBlob},
    policy::PolicySetDefinition,
    proposal::{Plan, Resolved},
    replay::{FaultKind, Part, ReplayError, Report, StorePins, Verdict},
    writ::Window,
};
use serde_json::{Value, json};

use crate::{altered::Altered, common::*, honest::Machine, proposal, replayed, shared};

/// A run of which every entry holds a decision, and a copy of its ledger to change.
pub struct Forged {
    pub run: TrajectoryId,
    pub copy: Altered,
}

impl Forged {
    pub fn new() -> Self {
        let mut machine = Machine::new();
        let window = Window { not_before_ms: START_MS, expires_at_ms: START_MS + 1_000 };
        let run = machine.start(&child(&signed(writ()), |writ| writ.window(window)));
        let call = |tool: &str, amount: i64| submit(&run, tool, json!({"amount": amount}));
        for (tool, amount) in [("note", 1), ("note", 20), ("act", 100), ("act", 50), ("gone", 1)] {
            call(tool, amount);
        }
        machine.fixture.clock.set(START_MS + 2_000);
        call("act", 1);
        machine.fixture.clock.set(START_MS + 3_000);
        call("act", 1);
        Self::of(&machine, run.id())
    }

    pub fn of(machine: &Machine, run: TrajectoryId) -> Self {
        Self { run, copy: Altered::of(&shared(&machine.fixture)) }
    }

    pub fn entry(&mut self, seq: u64) -> &mut Entry {
        let of_run = |(_, entry): &&mut (u64, Entry)| entry.header.trajectory == self.run && entry.header.seq == seq;
        &mut self.copy.log.iter_mut().find(of_run).unwrap().1
    }

    /// Changes the record of an entry of the run.
    pub fn record(&mut self, seq: u64, change: impl FnOnce(&mut Value)) -> &mut Self {
        edit(self.entry(seq), change);
        self
    }

    /// Changes the decision in an entry of the run.
    pub fn decision(&mut self, seq: u64, change: impl FnOnce(&mut Value)) -> &mut Self {
        self.record(seq, |record| {
            let places = ["/origin/proposal/decision", "/refused/decision", "/proposal/decision"];
            let place = places.into_iter().find(|place| record.pointer(place).is_some()).unwrap();
            change(record.pointer_mut(place).unwrap());
        })
    }

    /// Puts one text in the place of another in every record.
    pub fn rename(&mut self, old: impl ToString, new: impl ToString) -> &mut Self {
        let (old, new) = (old.to_string(), new.to_string());
        for (_, entry) in &mut self.copy.log {
            let text = String::from_utf8(entry.record.to_vec()).unwrap().replace(&old, &new);
            entry.record = text.into_bytes().into();
        }
        self
    }

    /// Chains and signs the whole store anew with the runtime's key.
    pub fn seal(&mut self) -> &mut Self {
        self.copy.seal();
        self
    }

    /// A plain replay of the run, and of the whole store, finds nothing.
    pub fn passes_plainly(&mut self) -> &mut Self {
        assert_eq!(replayed(&self.copy, &self.run, false).unwrap().verdict(), Verdict::Verified);
        self.copy.verify(StorePins::default()).unwrap();
        self
    }

    /// What deriving again comes to, where nothing differs.
    pub fn derived_again(&self) -> Report {
        replayed(&self.copy, &self.run, true).unwrap()
    }

    /// Deriving again names the entry and the parts that differ, in the run and in the whole store.
    pub fn names(&mut self, seq: u64) -> Vec<Part> {
        let of = |error| match error {
            ReplayError::Fault(fault) if fault.seq == seq => match fault.reason {
                FaultKind::Decision(difference) => difference.parts.iter().map(|differing| differing.part).collect(),
                other => panic!("{other}"),
            },
            other => panic!("expected entry {seq}, found {other}"),
        };
        let parts: Vec<_> = of(replayed(&self.copy, &self.run, true).unwrap_err());
        match self.copy.verify(StorePins { rederive: true, ..StorePins::default() }).unwrap_err() {
            ReplayError::Run { run, source } => assert_eq!((run, of(*source)), (self.run, parts.clone())),
            other => panic!("{other}"),
        }
        parts
    }
}

fn edit(entry: &mut Entry, change: impl FnOnce(&mut Value)) {
    let mut record = serde_json::from_slice(&entry.record).unwrap();
    change(&mut record);
    entry.record = canonical_value(&record).unwrap().into();
}

/// What deriving again says of a change to the decision of one entry, which a plain replay does not find.
fn found(seq: u64, change: impl FnOnce(&mut Value)) -> Vec<Part> {
    Forged::new().decision(seq, change).seal().passes_plainly().names(seq)
}

#[test]
fn what_nobody_changed_follows() {
    let mut forged = Forged::new();
    let report = forged.seal().passes_plainly().derived_again();
    assert_eq!(report.rederived.unwrap().decisions(), 7);
}

#[test]
fn a_rule() {
    let mut forged = Forged::new();
    let is_set = |(_, entry): &&mut (u64, Entry)| entry.header.known_kind() == Some(Kind::PolicySet);
    let set = &mut forged.copy.log.iter_mut().find(is_set).unwrap().1;
    let (mut old, mut new) = (String::new(), String::new());
    edit(set, |record| {
        old = record["hash"].as_str().unwrap().to_owned();
        record["definition"]["bundles"][0]["unsigned"]["rules"][0]["when"]["value"] = json!(15);
        let definition: PolicySetDefinition = serde_json::from_value(record["definition"].clone()).unwrap();
        new = definition.hash().unwrap().to_string();
    });
    // The first call of 15 or more.
    let parts = forged.rename(old, new).seal().passes_plainly().names(2);
    assert_eq!(parts, [Part::Status, Part::Trace, Part::Hash]);
}

#[test]
fn an_argument() {
    let mut forged = Forged::new();
    let (run, entry) = (forged.run, forged.entry(2));
    let before = proposal(entry).unwrap();
    let args = Blob::seal(&json!({"amount": 100}), Salt([1; 16])).unwrap();
    let at = entry.blobs.iter().position(|blob| blob.commitment() == before.intent.args).unwrap();
    entry.blobs[at] = StoredBlob::Present(args.clone());
    let mut intent = before.intent.clone();
    intent.args = args.commitment();
    let old = before.resolved.unwrap();
    let new = Resolved::new(run, intent.id().unwrap(), before.writ, old.contract, Plan::Call).unwrap();
    forged.rename(before.intent.args, intent.args).rename(old.id, new.id);
    assert_eq!(forged.seal().passes_plainly().names(2), [Part::Status, Part::Trace, Part::Hash]);
}

#[test]
fn a_balance() {
    let used_up = |decision: &mut Value| drop(decision["balances"][1].as_object_mut().unwrap().remove("tool_calls"));
    let parts = found(3, used_up);
    assert_eq!(parts, [Part::Status, Part::Trace, Part::Hash]);
}

#[test]
fn a_reading_of_the_clock() {
    // Within its window, by the clock that it says it had.
    let parts = found(2, |decision| decision["clock_ms"] = json!(START_MS - 1));
    assert_eq!(parts, [Part::Status, Part::Trace, Part::Hash]);
    // Another time than the refusal tells.
    let parts = found(6, |decision| decision["now_ms"] = json!(START_MS + 1_500));
    assert_eq!(parts, [Part::Status, Part::Hash]);
    // A reading that was not behind, and one that was ahead.
    assert_eq!(found(2, |decision| decision["clock_ms"] = json!(START_MS)), [Part::Clock, Part::Hash]);
    assert_eq!(found(2, |decision| decision["clock_ms"] = json!(START_MS + 1)), [Part::Clock]);
    // A time before that of the entry in front of it.
    assert_eq!(found(7, |decision| decision["now_ms"] = json!(START_MS + 1_999)), [Part::Clock]);
}

#[test]
fn a_quote() {
    let parts = found(2, |decision| decision["quote"]["precondition"] = json!({"code": "closed"}));
    assert_eq!(parts, [Part::Status, Part::Trace, Part::Hash]);
    let parts = found(3, |decision| decision["quote"]["cost"]["tool_calls"] = json!(100_000));
    assert_eq!(parts, [Part::Status, Part::Trace, Part::Hash]);
    assert_eq!(found(2, |decision| decision["quote"]["reads"][0]["version"] = json!(7)), [Part::Reads]);
    let gone = |decision: &mut Value| drop(decision.as_object_mut().unwrap().remove("quote"));
    assert_eq!(found(3, gone), [Part::Status, Part::Trace, Part::Hash]);
}

#[test]
fn a_claim() {
    let claim = json!({"seq": 1, "state": "done", "trajectory": TrajectoryId([1; 32]).to_string()});
    assert_eq!(found(2, |decision| decision["claim"] = claim.clone()), [Part::Status, Part::Trace, Part::Hash]);
    // Where no tool was asked, none can stand in the way.
    assert_eq!(found(5, |decision| decision["claim"] = claim), [Part::Hash]);
}

#[test]
fn a_trace() {
    let fires = |index: u32| move |decision: &mut Value| decision["trace"]["fired"] = json!([index]);
    assert_eq!(found(1, fires(1)), [Part::Trace, Part::Hash]);
    assert_eq!(found(2, fires(0)), [Part::Trace, Part::Hash]);
    assert_eq!(found(5, fires(9)), [Part::Trace, Part::Hash]);
    // What a policy in Rust said is taken as it stands, and then has to lead where the decision went.
    let denies = |decision: &mut Value| {
        decision["trace"]["asserted"][0]["verdict"] = json!({"kind": "deny", "reason": "no"});
    };
    assert_eq!(found(2, denies), [Part::Status, Part::Hash]);
    let silent = |decision: &mut Value| drop(decision.as_object_mut().unwrap().remove("trace"));
    assert_eq!(found(2, silent), [Part::Status, Part::Trace, Part::Hash]);
    let twice = |decision: &mut Value| {
        let said = decision["trace"]["asserted"][0].clone();
        decision["trace"]["asserted"] = json!([said, said]);
    };
    assert_eq!(found(2, twice), [Part::Trace, Part::Hash]);
    assert_eq!(found(2, |decision| decision["trace"]["failed"] = json!([0])), [Part::Trace, Part::Hash]);
}

#[test]
fn a_status() {
    let parts = found(3, |decision| decision["status"]["rejected"]["asked"] = json!("something else"));
    assert_eq!(parts, [Part::Status, Part::Hash]);
    let parts = found(4, |decision| decision["status"]["suspended"]["channel"] = json!("friends"));
    assert_eq!(parts, [Part::Status, Part::Hash]);
    let parts = found(7, |decision| decision["status"]["rejected"]["code"] = json!("revoked"));
    assert_eq!(parts, [Part::Status, Part::Hash]);
}

#[test]
fn the_contracts_that_were_registered() {
    let mut forged = Forged::new();
    let note = proposal(forged.entry(1)).unwrap().resolved.unwrap().contract;
    let without = |record: &mut Value| {
        record["contracts"].as_array_mut().unwrap().retain(|hash| *hash != json!(note.to_string()));
    };
    let parts = forged.record(0, without).seal().passes_plainly().names(1);
    assert_eq!(parts, [Part::Status, Part::Trace, Part::Contract, Part::Hash]);
}

#[test]
fn a_proposal_that_says_that_it_resolved_to_nothing() {
    let nothing = |record: &mut Value| drop(record["refused"].as_object_mut().unwrap().remove("resolved"));
    let parts = Forged::new().record(3, nothing).seal().passes_plainly().names(3);
    assert_eq!(parts, [Part::Contract]);
}

#[test]
fn the_difference_is_told_in_short() {
    let mut forged = Forged::new();
    forged.decision(2, |decision| decision["trace"]["fired"] = json!([0])).seal();
    let error = replayed(&forged.copy, &forged.run, true).unwrap_err().to_string();
    let told = "trace: recorded `rule 0 house/much fired, policy 0 said permit`, derived `policy 0 said permit`";
    assert!(error.starts_with("entry 2 (commit, ") && error.contains(told), "{error}");
}
