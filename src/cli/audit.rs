use futures::executor::block_on;
use serde_json::{Value, json};

use super::{
    entries::Entries,
    failure::{Done, Failure},
    locate::{self, Place},
    out::Out,
    trail::Reader,
    verdict,
};
use crate::{
    ledger::Entry,
    replay::{self, Pins, Replayer},
};

/// Tell what a run did, under whose authority, by which decision, at what cost
///
/// Ends with the verdict of a replay; anything but a complete verification is a failure.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thymos audit last\n  thymos audit 4f21 --json")]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or `last`
    run: String,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object: the entries and the verdict
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let ledger = args.place.open_existing()?;
    block_on(async {
        let run = locate::find(&ledger, &args.run).await?;
        let (mut reader, mut entries) = (Reader::new(), Entries::new(Out::new()));
        let (mut lines, mut unreadable) = (Vec::<Value>::new(), None);
        // An entry is shown after it was checked: what is told is what the replay vouches for.
        let visit = |entry: &Entry, replayer: &Replayer<'_>| match reader.read(entry, replayer) {
            Ok(line) if args.json => lines.extend(serde_json::to_value(&line).ok()),
            Ok(line) => entries.show(&line),
            Err(error) => unreadable = Some(error.to_string()),
        };
        let outcome = replay::run(&ledger, &run, Pins::default(), visit).await.map(|(report, _)| report);
        let mut out = entries.into_out();
        if args.json {
            out.json(&json!({"run": run, "entries": lines, "verdict": verdict::json(&outcome)}));
        } else {
            out.line("");
            verdict::tell(&mut out, &outcome);
        }
        match unreadable {
            Some(error) => out.finish().and(Err(Failure::failed(error))),
            None => verdict::conclude(out, outcome),
        }
    })
}
