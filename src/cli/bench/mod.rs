mod table;
#[cfg(test)]
mod tests;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::exit,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::json;

use super::{
    failure::{Done, Failure},
    out::Out,
};
use table::{Bench, Row, Scale, Scratch};

/// How a shell names an end by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Measure the kernel on this machine, each figure beside its floor
///
/// A floor is what the work cannot do without, measured in the same run. It takes about twenty seconds on an idle machine;
/// what else runs meanwhile counts.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos bench
  thymos bench replay                    only figures whose group has this in its name
  thymos bench --dir /var/lib            on the disk that ledgers will be on")]
pub(super) struct Args {
    /// Only these figures: compile, call, flat, durable, concurrent, replay, fold, writ, disk, command
    #[arg(default_value = "", hide_default_value = true)]
    filter: String,
    /// Where ledgers are written; what is written is removed at the end
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON, at the end
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let groups = table::selected(&args.filter).map_err(Failure::usage)?;
    let folder = args.dir.clone().unwrap_or_else(env::temp_dir);
    let scratch = Scratch::below(&folder).map_err(Failure::usage)?;
    let stopped = remove_when_stopped(scratch.path())?;

    let conditions = table::conditions(&folder);
    let (mut out, mut rows) = (Out::new(), Vec::new());
    if !args.json {
        conditions.iter().for_each(|(name, value)| out.field(name, value));
        out.line(table::head());
    }
    let tell = &mut |row: Row| {
        if !args.json {
            out.line(table::line(&row));
        }
        rows.push(table::json(&row));
    };
    let folder = scratch.path().to_owned();
    let bench = Bench { scale: Scale::SHORT, folder, command: env::current_exe().ok(), sources: None, tell };
    let measured = table::measure(bench, &groups);
    if stopped.load(Ordering::SeqCst) {
        // What went wrong is that the folder has gone: the process ends as soon as all of it has.
        loop {
            thread::park();
        }
    }
    measured.map_err(Failure::failed)?;
    if args.json {
        out.json(&json!({"conditions": table::as_json(&conditions), "rows": rows}));
    } else if rows.is_empty() {
        let command = format!("cargo bench --bench table -- {}", args.filter);
        out.line(format_args!("these take long, or need the sources of openthymos: `{command}` there"));
    }
    out.finish()
}

/// Has Ctrl-C remove the folder and end the process. Tells whether that is under way.
fn remove_when_stopped(folder: &Path) -> Done<Arc<AtomicBool>> {
    let (folder, stopped) = (folder.to_owned(), Arc::new(AtomicBool::new(false)));
    let stopping = Arc::clone(&stopped);
    let stop = move || {
        stopping.store(true, Ordering::SeqCst);
        // A ledger that is being made may put a file there meanwhile.
        (0..100).find(|_| fs::remove_dir_all(&folder).is_ok() || !folder.exists());
        exit(INTERRUPTED);
    };
    ctrlc::set_handler(stop).map_err(Failure::failed)?;
    Ok(stopped)
}
