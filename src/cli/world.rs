use futures::executor::block_on;
use serde_json::{Value, json};

use super::{
    failure::{Done, Failure},
    locate::{self, Place},
    out::Out,
    style::{DIM, brief, paint, plain},
    verdict,
};
use crate::{
    replay::{self, Options, Pins, Report},
    world::World,
};

/// Print the world of a run, as its commits leave it
///
/// A long run is folded from its last snapshot on, which the runtime's key vouches for; the verdict says so then.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or `last`
    run: String,
    /// The world after this entry, instead of after the last one
    #[arg(long, value_name = "SEQ")]
    at: Option<u64>,
    /// Fold from the first entry on, and verify all of the run
    #[arg(long)]
    from_start: bool,
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let ledger = args.place.open_existing()?;
    block_on(async {
        let run = locate::find(&ledger, &args.run).await?;
        let since = if args.from_start { None } else { replay::since_snapshot(&ledger, &run, args.at).await };
        if let Some((report, folded)) = since {
            return tell(args, &folded.world, report);
        }
        let mut then = None;
        let visit = |entry: &crate::ledger::Entry, replayer: &replay::Replayer<'_>| {
            if args.at == Some(entry.header.seq) {
                then = Some(replayer.world().clone());
            }
        };
        // A world in the middle is shown only where its own commit says the same.
        let options = Options { every_root: args.at.is_some(), ..Options::default() };
        let pins = Pins { options, ..Pins::default() };
        let (report, folded) = replay::run(&ledger, &run, pins, visit).await?;
        let world = match (args.at, then) {
            (None, _) => folded.world,
            (Some(_), Some(then)) => then,
            (Some(at), None) => {
                let message = format!("run {} has no entry {at}: its last one is {}", run.short(), report.head_seq);
                return Err(Failure::usage(message));
            }
        };
        tell(args, &world, report)
    })
}

fn tell(args: &Args, world: &World, report: Report) -> Done {
    let mut out = Out::new();
    let (run, root, at) = (report.trajectory, world.root(), args.at.unwrap_or(report.head_seq));
    let outcome = Ok(report);
    if args.json {
        let verdict = verdict::json(&outcome);
        out.json(&json!({"run": run, "at": at, "root": root, "world": json(world), "verdict": verdict}));
    } else {
        show(&mut out, world);
        verdict::tell(&mut out, &outcome);
    }
    verdict::conclude(out, outcome)
}

/// Shows every resource.
pub(super) fn show(out: &mut Out, world: &World) {
    if world.is_empty() {
        out.line(paint(DIM, "the world is empty: no commit changed it"));
    }
    for (id, resource) in world.iter() {
        let head = format!("{} v{}", plain(&id.to_string()), resource.version);
        let room = out.width().saturating_sub(head.chars().count() + 1);
        let value = resource.value.as_ref().map_or("(erased)".into(), |value| brief(value, room));
        out.line(format_args!("{head} {value}"));
    }
}

/// Every resource as JSON.
pub(super) fn json(world: &World) -> Value {
    let resource = |(id, resource): (&crate::world::ResourceId, &crate::world::Resource)| {
        let value = resource.value.as_deref();
        json!({
            "kind": id.kind(), "id": id.id(), "version": resource.version, "commitment": resource.commitment,
            "value": value, "erased": value.is_none(),
        })
    };
    world.iter().map(resource).collect()
}
