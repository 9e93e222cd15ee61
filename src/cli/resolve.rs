use futures::executor::block_on;

use super::{
    failure::{Done, Failure},
    home::{Home, ROOT},
    locate::{self, Place},
    out::Out,
    steward,
};
use crate::{
    ledger::record::HappenedVerdict,
    replay::{self, Pins, UnknownEffect},
    runtime::Resolution,
};

/// Settle an effect in doubt: say whether it happened
///
/// After a crash, a time-out or a panic behind a dispatch nobody knows whether the effect happened, and calls like it are
/// refused. Find out, and say so: `--happened` takes the business key for good, `--not-done` frees it. Your word is signed,
/// and on record.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("verdict").required(true).args(["happened", "not_done"]),
    after_help = "Examples:
  thymos resolve last 7 --happened --note \"receipt 4711\"
  thymos resolve 4f21 7 --not-done --key approver"
)]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or `last`
    run: String,
    /// Dispatch: its number in the audit, or the unique start of its id, of 8 digits or more
    entry: String,
    /// The effect happened
    #[arg(long)]
    happened: bool,
    /// The effect did not happen, and will not
    #[arg(long)]
    not_done: bool,
    /// How that was found out
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The key that signs it: that of a trusted approver
    #[arg(long, value_name = "NAME", default_value = ROOT)]
    key: String,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &Args) -> Done {
    let home = Home::locate()?;
    let signer = home.secret(&args.key)?;
    let ledger = args.place.open_existing()?;
    let (run, effect) = block_on(async {
        let run = locate::find(&ledger, &args.run).await?;
        let (_, folded) = replay::run(&ledger, &run, Pins::default(), |_, _| {}).await?;
        Done::Ok((run, find(&folded.unknown_effects, &args.entry)?))
    })?;
    drop(ledger);
    let verdict = if args.happened { HappenedVerdict::Happened } else { HappenedVerdict::NotDone };
    let runtime = steward::open(&home, &args.place)?;
    let note = args.note.as_deref();
    let resolution = Resolution { dispatch: effect.dispatch, verdict, note, name: &args.key };
    let entry = block_on(runtime.resolve(&run, resolution, &signer)).map_err(Failure::failed)?;
    let mut out = Out::new();
    out.line(format_args!(
        "settled: dispatch #{} of run {}: {verdict}, entry {}",
        effect.seq,
        run.short(),
        entry.short()
    ));
    out.finish()
}

/// The effect in doubt that a user names.
fn find(effects: &[UnknownEffect], name: &str) -> Done<UnknownEffect> {
    let at = locate::among(effects, name, |effect| (effect.seq, vec![effect.dispatch.to_string()]));
    if let Some(effect) = at.and_then(|at| effects.get(at)) {
        return Ok(*effect);
    }
    let shown: String = name.chars().take(80).collect();
    let failure = Failure::usage(format!("`{shown}` names no one effect in doubt of this run"));
    let list: Vec<_> = effects.iter().map(|effect| format!("#{} {}", effect.seq, effect.dispatch.short())).collect();
    Err(match list.as_slice() {
        [] => failure.hint("nothing is in doubt there"),
        list => failure.hint(format_args!("in doubt: {}", list.join(", "))),
    })
}
