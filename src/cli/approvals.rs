use futures::executor::block_on;
use serde_json::Value;

use super::{
    failure::{Done, Failure},
    home::Home,
    locate::{self, Place},
    out::Out,
    review::{self, Review},
    time::now_ms,
};

/// List what waits for approval
///
/// Each with its arguments, the rule that asked, what it would cost, what it would change, and who has approved.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos approvals
  thymos approvals 4f21 --json")]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or `last`; all runs without it
    run: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let ledger = args.place.open_existing()?;
    let (reviews, faulty) = block_on(async {
        let (mut reviews, faulty) = match &args.run {
            Some(run) => (review::of_run(&ledger, &locate::find(&ledger, run).await?, now_ms()).await?, 0),
            None => review::of_all(&ledger, now_ms()).await?,
        };
        if let Ok(home) = Home::locate() {
            for review in &mut reviews {
                review.look_in(&args.place, &home).await;
            }
        }
        Done::Ok((reviews, faulty))
    })?;
    let mut out = Out::new();
    if args.json {
        out.json(&reviews.iter().map(Review::json).collect::<Value>());
    }
    for review in reviews.iter().filter(|_| !args.json) {
        review.show(&mut out);
        let (run, seq, place) = (review.run.short(), review.request.seq, args.place.arguments());
        match review.request.approved {
            true => out.line(format_args!("  thymos resume {run}{place}")),
            false => out.line(format_args!("  thymos approve {run} {seq}{place}")),
        }
        out.line(format_args!("  thymos approve {run} {seq} --deny{place}"));
        out.line("");
    }
    if reviews.is_empty() && faulty == 0 && !args.json {
        out.line("nothing waits for approval");
    }
    out.finish()?;
    if faulty == 0 { Ok(()) } else { Err(Failure::told()) }
}
