use std::{
    fs::{self, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anstream::eprintln;
use futures::executor::block_on;

use super::{
    failure::{Done, Failure},
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
    /// File to write; standard output without it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &Args) -> Done {
    drop(args.place.open_existing()?);
    let home = Home::locate()?;
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
        match &args.output {
            Some(path) => {
                let length = to_file(&ledger, &run, &key, path).await?;
                let entries = count(length, "entry", "entries");
                eprintln!("{entries} of run {} to {}", run.short(), path.display());
                eprintln!("verify with: thymos replay --file '{}' --verify", path.display());
                Ok(())
            }
            None => {
                let mut out = BufWriter::new(io::stdout());
                match write(&ledger, &run, &key, &mut out).await {
                    Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                    written => written.map(drop).map_err(Failure::failed),
                }
            }
        }
    })
}

async fn write(
    ledger: &dyn LedgerStore,
    run: &TrajectoryId,
    key: &SecretKey,
    out: &mut (dyn Write + Send),
) -> Result<u64, ExportError> {
    Ok(runtime::export(ledger, run, Some(key), now_ms(), out).await?.length)
}

/// Writes beside the file and gives it its name when it is whole.
async fn to_file(ledger: &dyn LedgerStore, run: &TrajectoryId, key: &SecretKey, path: &Path) -> Done<u64> {
    let failed = |error: io::Error| Failure::failed(format!("writing `{}`: {error}", path.display()));
    let mut unnamed = path.as_os_str().to_owned();
    unnamed.push(format!(".{}.new", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).open(&unnamed).map_err(failed)?;
    let mut out = BufWriter::new(file);
    let written = write(ledger, run, key, &mut out).await.map_err(Failure::failed);
    let named = written.and_then(|length| {
        out.get_ref().sync_all().and_then(|()| fs::rename(&unnamed, path)).map_err(failed)?;
        Ok(length)
    });
    if named.is_err() {
        drop(fs::remove_file(&unnamed));
    }
    named
}
