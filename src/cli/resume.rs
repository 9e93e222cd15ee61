use futures::executor::block_on;

use super::{
    failure::{Done, Failure},
    home::Home,
    locate,
    session::{How, Prepared},
};
use crate::runtime::StartError;

/// Take a run up again where it was left, and go on
///
/// After a crash, a full disk or an interruption. Everything on record is verified first. The turn that was under way is
/// debited, what has no outcome is recorded as abandoned, and tools are asked about effects in doubt; for what they do not
/// know see `thymos resolve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos resume last
  thymos resume 4f21 --script rest.json --json")]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or `last`
    run: String,
    #[command(flatten)]
    how: How,
}

pub(super) fn run(args: &Args) -> Done {
    let home = Home::locate()?;
    home.check()?;
    let prepared = Prepared::new(&args.how, &home)?;
    // That the run is there is found without making a ledger for it.
    let ledger = args.how.place.open_existing()?;
    let run = block_on(locate::find(&ledger, &args.run))?;
    drop(ledger);
    let mut session = prepared.open(&args.how, &home)?;
    block_on(async {
        let taken = session.runtime.resume(&run).await.map_err(|error| match error {
            error @ StartError::Ended(_) => {
                Failure::failed(error).hint(format_args!("`thymos audit {}` tells how", run.short()))
            }
            error => Failure::failed(error),
        })?;
        let chain = taken.writ().await;
        let (completed, _) = session.drive(&taken, &chain, &args.how).await?;
        if completed { Ok(()) } else { Err(Failure::told()) }
    })
}
