use std::{fs::File, io::BufReader, num::NonZeroUsize, path::PathBuf};

use futures::executor::block_on;
use serde_json::{Value, json};

use super::{
    entries,
    failure::{Done, Failure},
    home::Home,
    locate::{self, Place},
    out::Out,
    style::{BOLD, DIM, paint, plain},
    trail::{Line, Reader, What},
    verdict, whole, world,
};
use crate::{
    canon::PolicySetHash,
    ledger::Entry,
    replay::{self, Folded, Options, Pins, ReplayError, Replayer, Report, StorePins},
};

/// Verify a run, or all of a ledger, from the entries alone: no model is asked, no tool is called
///
/// Without a pin a replay shows that a ledger is consistent in itself; pin the signer to know whose it is. Exit code 0
/// means that everything was checked and holds.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos replay last
  thymos replay --all                    every run, every budget, and that nothing is missing
  thymos replay --all --rederive         the same, and every decision made again
  thymos replay --file run.ndjson --verify --require-signer 9f1c…")]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or `last`
    #[arg(required_unless_present_any = ["file", "all"])]
    run: Option<String>,
    /// Verify the whole ledger: every run, the accounts that runs share, and that nothing is missing or added
    #[arg(long, conflicts_with_all = ["run", "file", "fold_world", "policy_trace", "require_compiler", "require_policy_set"])]
    all: bool,
    /// Verify this export, and nothing else: no ledger is needed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "workspace", "ledger"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Print only the verdict
    #[arg(long, group = "view")]
    verify: bool,
    /// Print the world that the commits fold to
    #[arg(long, group = "view")]
    fold_world: bool,
    /// Print every decision with the rules that fired
    #[arg(long, group = "view")]
    policy_trace: bool,
    /// Make every decision again from what is recorded, and fail where one differs
    #[arg(long)]
    rederive: bool,
    /// Fail unless this version of the compiler decided
    #[arg(long, value_name = "N")]
    require_compiler: Option<u32>,
    /// Fail unless this policy set decided
    #[arg(long, value_name = "HASH")]
    require_policy_set: Option<PolicySetHash>,
    /// Fail unless this key signed every entry: 64 hex digits, or the name of a key of yours
    #[arg(long, value_name = "KEY")]
    require_signer: Option<String>,
    /// Fail unless this entry stands at this position, as an earlier `replay --all` told it; may be given more than once
    #[arg(long, value_name = "POSITION:ENTRY")]
    require_head: Vec<whole::Head>,
    /// Verify the signatures of the required signer in batches: faster, and weaker than strictly, which the verdict says
    #[arg(long, requires = "require_signer")]
    batch: bool,
    /// Check on so many threads [default: as many as the machine runs at once]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// Compare the world's root after every commit, and not only with the last one's
    #[arg(long)]
    every_root: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let options =
        Options { batch: args.batch, every_root: args.every_root, workers: args.workers, ..Options::default() };
    let signer = args.require_signer.as_deref().map(|key| Home::locate()?.public(key)).transpose()?;
    if args.all {
        let kept = args.require_head.iter().map(|whole::Head(kept)| *kept).collect();
        let pins =
            StorePins { kept, rederive: args.rederive, signer: signer.map(|named| named.key), store: None, options };
        return whole::run(&args.place.open_existing()?, pins, whole::Told { brief: args.verify, json: args.json });
    }
    if !args.require_head.is_empty() {
        return Err(Failure::usage("--require-head pins a whole ledger").hint("verify it with `thymos replay --all`"));
    }
    let pins = Pins {
        compiler: args.require_compiler,
        policy_set: args.require_policy_set,
        rederive: args.rederive,
        signer: signer.map(|named| named.key),
        options,
        ..Pins::default()
    };
    let mut traces = Traces { reader: args.policy_trace.then(Reader::new), lines: Vec::new() };
    let outcome = match &args.file {
        Some(path) => {
            let file = File::open(path).map_err(|error| Failure::usage(format!("`{}`: {error}", path.display())))?;
            replay::export::verify(BufReader::new(file), pins, |entry, replayer| traces.visit(entry, replayer))
        }
        None => {
            let ledger = args.place.open_existing()?;
            block_on(async {
                let run = locate::find(&ledger, args.run.as_deref().unwrap_or("last")).await?;
                Done::Ok(replay::run(&ledger, &run, pins, |entry, replayer| traces.visit(entry, replayer)).await)
            })?
        }
    };
    tell(args, outcome, &traces.lines)
}

fn tell(args: &Args, outcome: Result<(Report, Folded), ReplayError>, traces: &[Line]) -> Done {
    let mut out = Out::new();
    let (outcome, folded) = match outcome {
        Ok((report, folded)) => (Ok(report), Some(folded)),
        Err(error) => (Err(error), None),
    };
    if args.json {
        let mut object = json!({"verdict": verdict::json(&outcome)});
        if let (true, Some(folded), Some(object)) = (args.fold_world, &folded, object.as_object_mut()) {
            object.insert("world".into(), world::json(&folded.world));
        }
        if let (true, Some(object)) = (args.policy_trace, object.as_object_mut()) {
            let traces = traces.iter().filter_map(|line| serde_json::to_value(line).ok());
            object.insert("decisions".into(), traces.collect::<Value>());
        }
        out.json(&object);
        return verdict::conclude(out, outcome);
    }
    match (&outcome, folded) {
        (Ok(_), Some(folded)) if args.fold_world => world::show(&mut out, &folded.world),
        (Ok(report), _) if !args.verify && !args.policy_trace => verdict::words(&mut out, report),
        _ => {}
    }
    traces.iter().for_each(|line| trace(&mut out, line));
    verdict::tell(&mut out, &outcome);
    verdict::conclude(out, outcome)
}

fn trace(out: &mut Out, line: &Line) {
    let What::Action(action) = &line.what else { return };
    let seq = paint(DIM, format!("{:>4}", format!("#{}", line.seq)));
    out.line(format_args!("{seq} {} {}", paint(BOLD, plain(&action.tool)), entries::decided(action)));
    for rule in &action.rules {
        out.detail("rule", format_args!("{} {}", plain(&rule.name), plain(&rule.verdict)));
    }
}

/// The decisions of a run, where they are wanted.
struct Traces {
    reader: Option<Reader>,
    lines: Vec<Line>,
}

impl Traces {
    fn visit(&mut self, entry: &Entry, replayer: &Replayer<'_>) {
        let line = self.reader.as_mut().and_then(|reader| reader.read(entry, replayer).ok());
        // A decision is told once: with its dispatch, where there is one.
        let first = |line: &Line| match &line.what {
            What::Action(action) => !action.follows_a_dispatch(),
            _ => false,
        };
        self.lines.extend(line.filter(first));
    }
}
