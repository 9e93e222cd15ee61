use std::{collections::BTreeSet, fs::File, io::BufReader, path::PathBuf};

use futures::executor::block_on;
use serde_json::{Value, json};

use super::{
    failure::{Done, Failure},
    locate::{self, Place},
    out::Out,
    policy, revoke, stream,
    style::{BAD, BOLD, DIM, GOOD, WARN, count, paint, plain},
    writ,
};
use crate::{
    canon::WritId,
    ledger::{LedgerStore, redb::RedbLedger},
    policy::BundleEntry,
    proposal::Status,
    replay::{
        self, Pins,
        simulate::{
            self, Affected, Because, Change, Changed, Conclusion, Found, Place as At, Runs, Simulated, Simulation,
        },
    },
};

/// Tell what other rules or another authority would have decided
///
/// Every intent on record is decided once more, refused and suspended ones too, from what is recorded of its world, spend and
/// reads: no model is asked, no tool is called. What rests on a commit that would now be refused is its blast radius.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("change").multiple(true).required(true)),
    after_help = "Examples:
  thymos simulate --policy new.json
  thymos simulate --revoke 4f21 last
  thymos simulate --writ narrower.json --file run.ndjson

Exit codes: 0 nothing changes, 3 something does, 1 not everything has a verdict or the ledger does not verify."
)]
pub(super) struct Args {
    /// Runs: ids, unique starts of them, or `last` [default: all runs of the ledger]
    runs: Vec<String>,
    /// Rules in place of all on record; may be given more than once. They need no signature: nothing comes into force
    #[arg(long, value_name = "FILE", group = "change")]
    policy: Vec<PathBuf>,
    /// A writ that is revoked from the start: an id or the unique start of one; may be given more than once
    #[arg(long, value_name = "WRIT", group = "change")]
    revoke: Vec<String>,
    /// A writ chain in place of every run's
    #[arg(long, value_name = "FILE", group = "change")]
    writ: Option<PathBuf>,
    /// Simulate the run of this export: no ledger is needed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["runs", "workspace", "ledger"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where the history is.
enum History<'a> {
    Ledger(RedbLedger),
    File(&'a PathBuf),
}

pub(super) fn run(args: &Args) -> Done {
    let history = match &args.file {
        Some(path) => History::File(path),
        None => History::Ledger(args.place.open_existing()?),
    };
    let rules = args.policy.iter().map(|path| policy::entry(path)).collect::<Done<Vec<_>>>()?;
    let revoked = match args.revoke.as_slice() {
        [] => BTreeSet::new(),
        names => {
            let known = history.writs()?;
            names.iter().map(|name| named(name, &known)).collect::<Done<_>>()?
        }
    };
    let unsigned = rules.iter().filter(|entry| matches!(entry, BundleEntry::Unsigned(_))).count() as u64;
    let change = Change {
        rules: (!rules.is_empty()).then_some(rules),
        revoked,
        writ: args.writ.as_deref().map(writ::load).transpose()?,
    };
    let (mut out, mut told, mut radius) = (Out::new(), Vec::new(), Vec::new());
    if unsigned > 0 && !args.json {
        let bundles = count(unsigned, "bundle is", "bundles are");
        out.line(format_args!("{} {bundles} not signed: no run takes them like this", paint(WARN, "note:")));
    }
    let simulation = history.simulate(args, change, |found| match found {
        found if args.json => told.push(json(found)),
        Found::Commit(_) | Found::Run { .. } => radius.push(found.clone()),
        found => out.line(line(found)),
    })?;
    if args.json {
        out.json(&summary_json(&simulation, told));
    } else {
        if !radius.is_empty() {
            out.line(paint(BOLD, "blast radius"));
            radius.iter().for_each(|found| out.line(line(found)));
        }
        summary(&mut out, &simulation);
    }
    out.finish()?;
    match simulation.conclusion() {
        Conclusion::NothingChanges => Ok(()),
        Conclusion::Changes => Err(Failure::changes()),
        Conclusion::Incomplete => Err(Failure::failed("not everything has a verdict")),
    }
}

impl History<'_> {
    fn simulate(&self, args: &Args, change: Change, found: impl FnMut(&Found) + Send) -> Done<Simulation> {
        Ok(match self {
            Self::File(path) => simulate::export(open(path)?, change, Pins::default(), found)?,
            Self::Ledger(ledger) => block_on(async {
                let mut chosen = Vec::new();
                for name in &args.runs {
                    chosen.push(locate::find(ledger, name).await?);
                }
                let runs = if chosen.is_empty() { Runs::All } else { Runs::Of(&chosen) };
                Done::Ok(simulate::runs(ledger, runs, change, Pins::default(), found).await?)
            })?,
        })
    }

    /// The writs that runs stand under.
    fn writs(&self) -> Done<BTreeSet<WritId>> {
        Ok(match self {
            Self::File(path) => {
                let (_, folded) = replay::export::verify(open(path)?, Pins::default(), |_, _| {})?;
                folded.chain.links().map(|(id, _)| id).collect()
            }
            Self::Ledger(ledger) => {
                let runs = block_on(revoke::runs(ledger as &dyn LedgerStore))?;
                runs.iter().flat_map(|run| run.chain.iter().map(|(id, _)| *id)).collect()
            }
        })
    }
}

fn open(path: &PathBuf) -> Done<BufReader<File>> {
    let file = File::open(path).map_err(|error| Failure::usage(format!("`{}`: {error}", path.display())))?;
    Ok(BufReader::new(file))
}

/// The writ that a user names: by its id, or the unique start of one.
fn named(name: &str, known: &BTreeSet<WritId>) -> Done<WritId> {
    let shown: String = name.chars().take(80).collect();
    let hint = "a writ is named by its id, or a unique start of that: `thymos audit` shows it";
    let mut matching = known.iter().filter(|id| !name.is_empty() && id.to_string().starts_with(name));
    match (matching.next(), matching.next()) {
        (Some(one), None) => Ok(*one),
        (None, _) => Err(Failure::usage(format!("no run stands under a writ `{shown}`")).hint(hint)),
        _ => Err(Failure::usage(format!("`{shown}` is the start of more than one writ")).hint(hint)),
    }
}

fn line(found: &Found) -> String {
    match found {
        Found::Changed(changed) => {
            let Changed { at, recorded, now, rules } = &**changed;
            let rules = match rules.as_slice() {
                [] => String::new(),
                rules => format!(" · {}", plain(&rules.join(", "))),
            };
            format!("{}: {} → {}{rules}", place(at), status(recorded), simulated(now))
        }
        Found::Undecided { at, gap } => format!("{}: {} {gap}", place(at), paint(WARN, "no verdict:")),
        Found::Commit(Affected { at, because }) => format!("{}: {}", place(at), reasons(because)),
        Found::Run { run, by: Affected { at, because } } => {
            format!("{}: starts run {}: {}", place(at), run.short(), reasons(because))
        }
    }
}

fn place(at: &At) -> String {
    format!("  {} {}", paint(DIM, format_args!("{} #{}", at.run.short(), at.seq)), paint(BOLD, plain(at.tool.as_str())))
}

fn status(status: &Status) -> String {
    match status {
        Status::Staged => "staged".into(),
        Status::Suspended { channel, .. } => format!("waits for `{}`", plain(channel)),
        Status::Rejected(refusal) => format!("refused {}", stream::refused(refusal)),
    }
}

fn simulated(now: &Simulated) -> String {
    match now {
        Simulated::Decided(Status::Staged) => paint(GOOD, "staged"),
        Simulated::Decided(waits @ Status::Suspended { .. }) => paint(WARN, status(waits)),
        Simulated::Decided(refused) => paint(BAD, status(refused)),
        Simulated::ReachesTool => paint(WARN, "would reach the tool; cost and reads are not on record"),
    }
}

fn reasons(because: &[Because]) -> String {
    let told = because.iter().map(|because| match because {
        Because::Refused => "refused itself".into(),
        Because::Read { resource, from } => format!("read {} from #{from}", plain(&resource.to_string())),
        Because::Changed { resource, from } => format!("changed {} from #{from}", plain(&resource.to_string())),
        Because::Child { of, seq } => format!("child of {} #{seq}", of.short()),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn summary(out: &mut Out, simulation: &Simulation) {
    let Simulation { runs, unchanged, changed, undecided, asserted, commits, started, incomplete } = simulation;
    let decisions = count(simulation.decisions(), "decision", "decisions");
    out.field("simulated", format_args!("{decisions} of {}, {unchanged} as before", count(*runs, "run", "runs")));
    for (number, what) in [
        (changed.refused, "would be refused"),
        (changed.suspended, "would wait for approval"),
        (changed.staged, "would be carried out"),
        (changed.reaching, "would reach the tool, which was never asked"),
        (changed.refused_otherwise, "would be refused for another reason"),
    ] {
        if number > 0 {
            out.field("others", format_args!("{number} {what}"));
        }
    }
    for (gap, number) in undecided {
        out.field("no verdict", paint(WARN, format!("{number}: {gap}")));
    }
    if *asserted > 0 {
        out.field("asserted", format_args!("{asserted} rest on recorded verdicts of Rust code"));
    }
    for reason in incomplete {
        out.field("unverified", paint(WARN, plain(reason)));
    }
    let (commits, runs) = (count(*commits, "commit", "commits"), count(*started, "run", "runs"));
    out.field("radius", format_args!("{commits}, {runs} started"));
    out.line(match simulation.conclusion() {
        Conclusion::NothingChanges => paint(GOOD, "nothing changes"),
        Conclusion::Changes => {
            paint(BAD, format!("{} would be others", count(changed.total(), "decision", "decisions")))
        }
        Conclusion::Incomplete => {
            paint(WARN, "INCOMPLETE: nothing was found to change, and not everything has a verdict")
        }
    });
}

fn summary_json(simulation: &Simulation, found: Vec<Value>) -> Value {
    let Simulation { runs, unchanged, changed, undecided, asserted, commits, started, incomplete } = simulation;
    let undecided = undecided.iter().map(|(gap, number)| json!({"reason": gap.to_string(), "decisions": number}));
    json!({
        "conclusion": match simulation.conclusion() {
            Conclusion::NothingChanges => "nothing_changes",
            Conclusion::Changes => "changes",
            Conclusion::Incomplete => "incomplete",
        },
        "runs": runs, "decisions": simulation.decisions(), "unchanged": unchanged,
        "changed": {
            "refused": changed.refused, "refused_otherwise": changed.refused_otherwise, "suspended": changed.suspended,
            "staged": changed.staged, "reaching": changed.reaching,
        },
        "undecided": undecided.collect::<Value>(), "asserted": asserted, "incomplete": incomplete,
        "radius": {"commits": commits, "runs": started}, "found": found,
    })
}

fn json(found: &Found) -> Value {
    let at = |kind: &str, at: &At| json!({"found": kind, "run": at.run, "seq": at.seq, "tool": at.tool});
    let affected = |kind, Affected { at: place, because }: &Affected| {
        with(at(kind, place), json!({"because": because.iter().map(reason_json).collect::<Value>()}))
    };
    match found {
        Found::Changed(changed) => {
            let Changed { at: place, recorded, now, rules } = &**changed;
            let now = match now {
                Simulated::Decided(status) => json!(status),
                Simulated::ReachesTool => json!("reaches_tool"),
            };
            with(at("changed", place), json!({"recorded": recorded, "now": now, "rules": rules}))
        }
        Found::Undecided { at: place, gap } => with(at("undecided", place), json!({"reason": gap.to_string()})),
        Found::Commit(commit) => affected("commit", commit),
        Found::Run { run, by } => with(affected("run", by), json!({"started": run})),
    }
}

fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(members), Value::Object(more)) = (&mut object, more) {
        members.extend(more);
    }
    object
}

fn reason_json(because: &Because) -> Value {
    match because {
        Because::Refused => json!({"refused": true}),
        Because::Read { resource, from } => json!({"read": resource.to_string(), "from": from}),
        Because::Changed { resource, from } => json!({"changed": resource.to_string(), "from": from}),
        Because::Child { of, seq } => json!({"child_of": of, "seq": seq}),
    }
}
