use futures::executor::block_on;
use serde_json::json;

use super::{
    failure::{Done, Failure},
    locate::{self, Place},
    out::Out,
    style::plain,
};
use crate::replay::{self, Routed, Verdict};

/// Tell a router how its routes did: decision hash, route, status and latency, and nothing of what was done
///
/// Only of runs that verify. Evidence of a router is recorded beside the turns that it was for; no decision reads it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thymos routing last\n  thymos routing 4f21 last --json")]
pub(super) struct Args {
    /// Runs: ids, the unique starts of some, or `last`
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    #[command(flatten)]
    place: Place,
    /// Print a JSON object for each
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let ledger = args.place.open_existing()?;
    let routed = block_on(async {
        let mut all = Vec::new();
        for name in &args.runs {
            let run = locate::find(&ledger, name).await?;
            let (report, routed) = replay::routing(&ledger, &run).await?;
            if report.verdict() != Verdict::Verified {
                return Err(Failure::failed(format!("run {}: {report}", run.short())));
            }
            all.extend(routed);
        }
        Done::Ok(all)
    })?;
    let mut out = Out::new();
    if args.json {
        routed.iter().for_each(|routed| out.json(&json!(routed)));
    } else if routed.is_empty() {
        out.line("no router left evidence in these runs");
    } else {
        let row = |Routed { decision_hash, latency_ms, selected, status }: &Routed| {
            vec![decision_hash.short(), plain(selected), status.to_string(), format!("{latency_ms} ms")]
        };
        out.table(&["DECISION", "SELECTED", "STATUS", "LATENCY"], &routed.iter().map(row).collect::<Vec<_>>());
    }
    out.finish()
}
