mod table;
#[cfg(test)]
mod tests;

use std::{cell::RefCell, env, path::PathBuf};

use serde_json::{Value, json};

use super::{
    failure::{Done, Failure},
    out::Out,
};
use table::{Bench, Row, Scale, Scratch};

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
    let folder = args.dir.clone().unwrap_or_else(env::temp_dir);
    let scratch = Scratch::below(&folder).map_err(Failure::usage)?;
    let path = scratch.path().to_owned();
    let stop = move || {
        drop(std::fs::remove_dir_all(&path));
        std::process::exit(130);
    };
    ctrlc::set_handler(stop).map_err(Failure::failed)?;

    let conditions = table::conditions(&folder);
    let (out, rows) = (RefCell::new(Out::new()), RefCell::new(Vec::new()));
    if !args.json {
        let mut out = out.borrow_mut();
        conditions.iter().for_each(|(name, value)| out.field(name, value));
        out.line(table::head());
    }
    let tell = &mut |row: Row| match args.json {
        true => rows.borrow_mut().push(table::json(&row)),
        false => out.borrow_mut().line(table::line(&row)),
    };
    let folder = scratch.path().to_owned();
    let bench = Bench { scale: Scale::SHORT, folder, command: env::current_exe().ok(), sources: None, tell };
    table::measure(bench, &args.filter).map_err(Failure::failed)?;
    let mut out = out.into_inner();
    if args.json {
        out.json(&json!({"conditions": table::as_json(&conditions), "rows": Value::Array(rows.into_inner())}));
    }
    out.finish()
}
