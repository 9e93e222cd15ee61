use futures::executor::block_on;
use serde_json::json;

use super::{
    failure::{Done, Failure},
    home::{Home, ROOT},
    locate::Place,
    out::Out,
    steward,
    style::{GOOD, WARN, paint},
    time::{now_ms, rfc3339, words},
};
use crate::runtime::{ClockStatus, latest_time};

/// Show the clock beside the latest time on record, and reset it
///
/// Ends of writs are judged by the later of the two. When the clock is more than a minute behind, tools with effects are
/// refused until it is right again or reset.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Reset(Reset),
}

/// Accept the clock as it is: what it says becomes the latest time on record
///
/// Do so when the time on record is wrong. Writs that had expired only by it are good again.
#[derive(Debug, clap::Args)]
struct Reset {
    /// The key that accepts it; it needs the role writ_issuer
    #[arg(long, value_name = "NAME", default_value = ROOT)]
    key: String,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &Args) -> Done {
    match &args.command {
        Some(Command::Reset(reset)) => self::reset(reset),
        None => show(args),
    }
}

fn show(args: &Args) -> Done {
    let ledger = args.place.open_existing()?;
    let high_water_ms = block_on(latest_time(&ledger))?;
    let status = ClockStatus { high_water_ms, reading_ms: now_ms() };
    let (mut out, behind) = (Out::new(), status.behind_ms());
    if args.json {
        let ClockStatus { high_water_ms, reading_ms } = status;
        out.json(&json!({"reading_ms": reading_ms, "high_water_ms": high_water_ms, "behind_ms": behind}));
        return out.finish();
    }
    out.field("clock", rfc3339(status.reading_ms));
    out.field("record", format_args!("{} is the latest time on record", rfc3339(high_water_ms)));
    let told = match behind {
        0 => paint(GOOD, "the clock is not behind"),
        1..=60_000 => paint(GOOD, format!("{} behind, which stops nothing", words(behind))),
        _ => paint(WARN, format!("{} behind: tools with effects are refused", words(behind))),
    };
    out.field("behind", told);
    if behind > 60_000 {
        out.line("set the clock right; if the time on record is wrong, accept the clock with `thymos clock reset`");
    }
    out.finish()
}

fn reset(args: &Reset) -> Done {
    let home = Home::locate()?;
    let key = home.secret(&args.key)?;
    let runtime = steward::open(&home, &args.place)?;
    let status = block_on(runtime.reset_clock(&args.key, &key)).map_err(Failure::failed)?;
    let mut out = Out::new();
    let (from, to) = (rfc3339(status.high_water_ms), rfc3339(status.reading_ms));
    out.line(format_args!("the clock was reset from {from} to {to}, {} back", words(status.behind_ms())));
    out.line("writs that had expired only by the time on record are good again");
    out.finish()
}
