//! What a replay found, as the commands tell it.

use serde_json::{Value, json};

use super::{
    budget,
    failure::{Done, Failure},
    out::Out,
    style::{BAD, GOOD, WARN, count, paint, plain},
    time::rfc3339,
};
use crate::{
    crypto::{NamedKey, PublicKey},
    replay::{Rederived, ReplayError, Report, Verdict},
};

/// How many digits of a key a verdict shows; the report shows all.
const KEY: usize = 12;

/// The verdict on one line.
pub(super) fn line(report: &Report) -> String {
    let verdict = match report.verdict() {
        Verdict::Verified => match report.since {
            None => paint(GOOD, "consistent"),
            Some(seq) => paint(GOOD, format!("consistent since the snapshot at #{seq}")),
        },
        Verdict::Incomplete => paint(WARN, format!("INCOMPLETE ({})", plain(&report.incomplete.join("; ")))),
    };
    let signer = signers(&report.signers, report.signer_pinned);
    let (again, time) = (again(report.rederived.as_ref()), rfc3339(report.as_of_ms));
    format!("{verdict} · {signer}{again} · complete to #{} as of {time}", report.head_seq)
}

/// How many decisions were derived again, where that was asked for.
pub(super) fn again(rederived: Option<&Rederived>) -> String {
    rederived.map_or_else(String::new, |rederived| format!(" · {rederived}"))
}

/// Who signed, and whether that was asked for.
pub(super) fn signers(signers: &[NamedKey], pinned: bool) -> String {
    let key = |key: &PublicKey| key.to_string().chars().take(KEY).collect::<String>();
    let signers: Vec<_> = signers.iter().map(|named| format!("{} {}…", plain(&named.name), key(&named.key))).collect();
    match (signers.as_slice(), pinned) {
        ([], _) => "unsigned".to_owned(),
        (signers, true) => format!("signer {} pinned", signers.join(", ")),
        (signers, false) => format!("signer {} not pinned", signers.join(", ")),
    }
}

/// Tells the verdict, whatever it is: the last line of every command that verifies.
pub(super) fn tell(out: &mut Out, outcome: &Result<Report, ReplayError>) {
    match outcome {
        Ok(report) => out.line(line(report)),
        Err(error) => out.line(format_args!("{} · {}", paint(BAD, "NOT VERIFIED"), plain(&error.to_string()))),
    }
}

/// Ends a command that verifies: only a complete verification is success.
pub(super) fn conclude(out: Out, outcome: Result<Report, ReplayError>) -> Done {
    out.finish()?;
    match outcome.map(|report| report.verdict()) {
        Ok(Verdict::Verified) => Ok(()),
        Ok(Verdict::Incomplete) => Err(Failure::failed("not everything could be verified")),
        Err(ReplayError::Store(error)) => Err(error.into()),
        Err(_) => Err(Failure::failed("the run does not verify")),
    }
}

/// The report in words.
pub(super) fn words(out: &mut Out, report: &Report) {
    out.field("run", report.trajectory);
    out.field("store", report.store);
    out.field("writ", report.writ);
    let (entries, commits) = (count(report.entries, "entry", "entries"), count(report.commits, "commit", "commits"));
    out.field("checked", format_args!("{entries}, of them {commits}: hashes, links, signatures, folded world"));
    let asserted = format!("{} rest on recorded verdicts of Rust code", report.asserted);
    out.field("decisions", format_args!("{} rest on rules that anyone can apply again, {asserted}", report.derived));
    if let Some(rederived) = &report.rederived {
        out.field("derived", rederived);
    }
    let compilers: Vec<_> = report.compilers.iter().map(u32::to_string).collect();
    if !compilers.is_empty() {
        out.field("compiler", compilers.join(", "));
    }
    for set in &report.policy_sets {
        out.field("policy set", set);
    }
    for named in &report.signers {
        out.field("signer", format_args!("{} {}", plain(&named.name), named.key));
    }
    out.field("head", format_args!("#{} {}", report.head_seq, report.head));
    out.field("world", report.world_root);
    out.field("spent", budget::words(&report.spent));
    out.field("ended", report.ended.map_or("not yet", |reason| reason.as_str()));
    for dispatch in &report.in_doubt {
        out.field("in doubt", format_args!("{}", paint(WARN, format!("dispatch {dispatch}"))));
    }
    if report.erased > 0 {
        out.field("erased", count(report.erased, "value", "values"));
    }
}

/// The verdict as JSON.
pub(super) fn json(outcome: &Result<Report, ReplayError>) -> Value {
    match outcome {
        Ok(report) => report_json(report),
        Err(error) => json!({"verified": false, "fault": error.to_string()}),
    }
}

/// What came of deriving decisions again, as JSON.
pub(super) fn rederived_json(rederived: &Rederived) -> Value {
    let Rederived { derived, asserted, not_derived } = rederived;
    let not_derived = not_derived.iter();
    let not_derived = not_derived.map(|(gap, count)| json!({"reason": gap.to_string(), "decisions": count}));
    json!({
        "decisions": rederived.decisions(), "derived": derived, "asserted": asserted,
        "not_derived": not_derived.collect::<Value>(),
    })
}

/// A report as JSON.
pub(super) fn report_json(report: &Report) -> Value {
    json!({
            // What is before a snapshot was not verified now.
            "verified": report.verdict() == Verdict::Verified && report.since.is_none(), "since": report.since,
            "incomplete": report.incomplete, "run": report.trajectory, "store": report.store, "writ": report.writ, "entries": report.entries,
            "commits": report.commits, "derived": report.derived, "asserted": report.asserted, "head": report.head,
            "head_seq": report.head_seq, "as_of_ms": report.as_of_ms, "world_root": report.world_root,
            "signers": report.signers, "signer_pinned": report.signer_pinned, "compilers": report.compilers,
            "policy_sets": report.policy_sets, "rederived": report.rederived.as_ref().map(rederived_json), "in_doubt": report.in_doubt, "erased": report.erased,
            "spent": report.spent, "ended": report.ended,
    })
}
