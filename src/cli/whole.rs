//! The verification of a whole ledger, as `replay --all` tells it.

use std::str::FromStr;

use futures::executor::block_on;
use serde_json::{Value, json};

use super::{
    budget,
    failure::{Done, Failure},
    out::Out,
    style::{BAD, DIM, GOOD, WARN, count, paint, plain},
    time::rfc3339,
    verdict,
};
use crate::{
    canon::TrajectoryId,
    ledger::{LedgerStore, Position},
    replay::{self, Kept, Progress, ReplayError, Report, StorePins, StoreReport, Verdict, WritAccount},
};

/// What to tell of a ledger.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// Only the verdict.
    pub(super) brief: bool,
    /// As JSON.
    pub(super) json: bool,
}

/// An entry that was kept, as the command line gives it: `POSITION:ENTRY`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head(pub(super) Kept);

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (position, entry) = text.split_once(':').ok_or("expected POSITION:ENTRY, as `replay --all` tells it")?;
        let position = position.parse().map(Position).map_err(|_| format!("`{position}`: expected a number"))?;
        let entry = entry.parse().map_err(|error| format!("`{entry}`: {error}"))?;
        Ok(Self(Kept { position, entry }))
    }
}

pub(super) fn run(store: &dyn LedgerStore, pins: StorePins, told: Told) -> Done {
    let mut out = Out::new();
    let mut runs = Vec::new();
    let outcome = block_on(replay::store(store, pins, |progress| {
        if let Progress::Run { run, outcome } = progress {
            if told.json {
                runs.push(run_json(&run, outcome));
            } else if !told.brief {
                out.line(format_args!("  {} {}", paint(DIM, run.short()), run_line(outcome)));
            }
        }
    }));
    match &outcome {
        _ if told.json => out.json(&json!({"runs": runs, "verdict": json(&outcome)})),
        Ok(report) if !told.brief => words(&mut out, report),
        _ => {}
    }
    if !told.json {
        match &outcome {
            Ok(report) => out.line(line(report)),
            Err(error) => out.line(format_args!("{} · {}", paint(BAD, "NOT VERIFIED"), plain(&error.to_string()))),
        }
    }
    out.finish()?;
    match outcome.map(|report| report.verdict()) {
        Ok(Verdict::Verified) => Ok(()),
        Ok(Verdict::Incomplete) => Err(Failure::failed("not everything could be verified")),
        Err(ReplayError::Store(error)) => Err(error.into()),
        Err(_) => Err(Failure::failed("the ledger does not verify")),
    }
}

fn run_line(outcome: Result<&Report, &ReplayError>) -> String {
    match outcome {
        Ok(report) => verdict::line(report),
        Err(error) => format!("{} · {}", paint(BAD, "NOT VERIFIED"), plain(&error.to_string())),
    }
}

fn words(out: &mut Out, report: &StoreReport) {
    out.field("store", report.store);
    let (runs, entries) = (count(report.runs, "run", "runs"), count(report.entries, "entry", "entries"));
    let registers = count(report.registers, "register", "registers");
    out.field("checked", format_args!("{runs}, {entries}, {registers}: nothing missing, nothing added, sums agree"));
    if let Some(rederived) = &report.rederived {
        out.field("decisions", rederived);
    }
    out.field("open", format_args!("{}, {} in doubt", count(report.open, "run", "runs"), report.in_doubt));
    for account in report.accounts.iter().filter(|account| account.parent.is_none()) {
        let spent = budget::spent_of(&account.spent, &account.budget);
        let held = format!("held: {}", budget::words(&account.held));
        let runs = count(account.runs, "run", "runs");
        out.field("writ", format_args!("{} {spent} · {held} · {runs}", account.writ.short()));
    }
    let Kept { position, entry } = report.head;
    out.field("head", format_args!("{}:{entry}", position.0));
}

/// The verdict on one line.
fn line(report: &StoreReport) -> String {
    let verdict = match report.verdict() {
        Verdict::Verified => paint(GOOD, "consistent"),
        Verdict::Incomplete => paint(WARN, format!("INCOMPLETE ({})", plain(&report.incomplete.join("; ")))),
    };
    let runs = count(report.runs, "run", "runs");
    let signer = verdict::signers(&report.signers, report.signer_pinned, report.batched);
    let pinned = match report.pinned {
        Some(kept) => format!("pinned at {}", kept.position.0),
        None => "not pinned".into(),
    };
    let (end, time) = (report.head.position.0, rfc3339(report.as_of_ms));
    let again = verdict::again(report.rederived.as_ref());
    format!("{verdict} · {runs} · {signer}{again} · complete to position {end}, {pinned}, as of {time}")
}

fn run_json(run: &TrajectoryId, outcome: Result<&Report, &ReplayError>) -> Value {
    match outcome {
        Ok(report) => verdict::report_json(report),
        Err(error) => json!({"verified": false, "run": run, "fault": error.to_string()}),
    }
}

fn json(outcome: &Result<StoreReport, ReplayError>) -> Value {
    match outcome {
        Ok(report) => json!({
            "verified": report.verdict() == Verdict::Verified, "incomplete": report.incomplete,
            "store": report.store, "entries": report.entries, "runs": report.runs, "open": report.open,
            "in_doubt": report.in_doubt, "head": head_json(&report.head), "as_of_ms": report.as_of_ms,
            "pinned": report.pinned.as_ref().map(head_json), "signers": report.signers,
            "signer_pinned": report.signer_pinned, "batched": report.batched, "registers": report.registers,
            "rederived": report.rederived.as_ref().map(verdict::rederived_json),
            "accounts": report.accounts.iter().map(account_json).collect::<Value>(),
        }),
        Err(error) => json!({"verified": false, "fault": error.to_string()}),
    }
}

fn head_json(kept: &Kept) -> Value {
    json!({"position": kept.position.0, "entry": kept.entry})
}

fn account_json(account: &WritAccount) -> Value {
    let WritAccount { writ, parent, budget, spent, held, runs } = account;
    json!({"writ": writ, "parent": parent, "budget": budget, "spent": spent, "held": held, "runs": runs})
}
