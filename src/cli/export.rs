use std::io::{self, BufWriter, Write};

use anstream::eprintln;
use futures::executor::block_on;

use super::{
    failure::{Done, Failure},
    files,
    home::{Home, RUNTIME},
    locate::{self, Place},
    steward,
    style::count,
    time::now_ms,
};
use crate::{
    canon::TrajectoryId,
    crypto::SecretKey,
    ledger::LedgerStore,
    replay::{self, Pins},
    runtime::{self, ExportError},
};

/// Write a run as a file that proves itself: NDJSON with a signed head
///
/// The run is verified first. `thymos replay --file` verifies the file, anywhere, without this ledger.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thymos export last -o run.ndjson\n  thymos export last | gzip > run.ndjson.gz")]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or `last`
    run: String,
    #[command(flatten)]
    output: files::Output,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &Args) -> Done {
    drop(args.place.open_existing()?);
    let home = Home::locate()?;
    let output = args.output.place(&home, &args.place.ledger())?;
    let key = home.secret(RUNTIME)?;
    steward::catch_up(&home, &args.place)?;
    let ledger = args.place.open_existing()?;
    block_on(async {
        let run = locate::find(&ledger, &args.run).await?;
        let log = replay::closure(&ledger, &run).await?;
        if log.state().runtime_key().is_none_or(|named| named.key != key.public_key()) {
            let message = "the key `runtime` is not the one that signs this ledger";
            return Err(Failure::failed(message).hint("set THYMOS_HOME to the folder with this ledger's keys"));
        }
        replay::run(&ledger, &run, Pins::default(), |_, _| {}).await?;
        let is_file = matches!(output, files::Place::File { .. });
        let mut writing = output.open()?;
        let length = match write(&ledger, &run, &key, writing.out()).await {
            Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(Failure::failed)?,
        };
        writing.finish()?;
        if let Some(path) = args.output.path().filter(|_| is_file) {
            eprintln!("{} of run {} to {}", count(length, "entry", "entries"), run.short(), path.display());
            eprintln!("verify with: thymos replay --file '{}' --verify", path.display());
        }
        Ok(())
    })
}

async fn write(
    ledger: &dyn LedgerStore,
    run: &TrajectoryId,
    key: &SecretKey,
    out: &mut (dyn Write + Send),
) -> Result<u64, ExportError> {
    let mut out = BufWriter::new(out);
    let length = runtime::export(ledger, run, Some(key), now_ms(), &mut out).await?.length;
    out.flush().map_err(ExportError::Write)?;
    Ok(length)
}
