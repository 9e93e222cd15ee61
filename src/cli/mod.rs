//! The `thymos` command: a host like any other, on the crate's public API.
//!
//! A command is a file. [`main`] reads the command line; `home` keeps keys and roots of trust in `$THYMOS_HOME`, `locate`
//! finds workspace, ledger and run; `out` and `style` are the only way to standard output.
//!
//! Exit codes: 0 when all is well, which a refused intent is; 1 when the run or the verification failed; 2 when the command
//! line asks for what does not exist; 3 when a simulation changes something; 4 when the run waits for approval.

mod approvals;
mod approve;
mod ask;
mod audit;
mod bench;
mod bindings;
mod budget;
mod clock;
mod contracts;
mod entries;
mod export;
mod failure;
mod files;
mod front;
mod grant;
mod home;
mod keys;
mod lineage;
mod locate;
mod out;
mod policy;
mod replay;
mod resolve;
mod resume;
mod review;
mod revoke;
mod rollback;
mod roster;
mod rotate;
mod routing;
mod run;
mod runs;
mod secrets;
mod session;
mod simulate;
mod skill;
mod steward;
mod stream;
mod style;
mod time;
mod tools;
mod trail;
mod undone;
mod verdict;
mod whole;
mod world;
mod writ;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("THYMOS_GIT_SHA"), ")");

/// Run agents under signed writs, with every action recorded and verifiable
#[derive(Debug, Parser)]
#[command(name = "thymos", version = VERSION, max_term_width = 100, after_help = "Examples:
  thymos run \"Map this repository\"       run a task; the ledger is .thymos/ledger.redb
  thymos audit last                      what it did, and under whose authority
  thymos replay last --verify            verify the run from its entries
  thymos export last -o run.ndjson       a file that proves itself

Keys, roots of trust and skills are in $THYMOS_HOME, by default ~/.thymos.
Exit codes: 0 all is well, 1 the run or the verification failed, 2 wrong usage,
3 a simulation changes something, 4 the run waits for approval.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Resume(resume::Args),
    Approvals(approvals::Args),
    Approve(approve::Args),
    Resolve(resolve::Args),
    Rollback(rollback::Args),
    Runs(runs::Args),
    Audit(audit::Args),
    Replay(replay::Args),
    Simulate(simulate::Args),
    World(world::Args),
    Lineage(lineage::Args),
    Export(export::Args),
    Routing(routing::Args),
    Tools(tools::Args),
    Clock(clock::Args),
    Bench(bench::Args),
    #[command(subcommand)]
    Writ(writ::Command),
    #[command(subcommand)]
    Keys(keys::Command),
    #[command(subcommand)]
    Skill(skill::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Roster(roster::Command),
}

/// Reads the command line, and does what it says.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        None => front::run(),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Resume(args)) => resume::run(&args),
        Some(Command::Approvals(args)) => approvals::run(&args),
        Some(Command::Approve(args)) => approve::run(&args),
        Some(Command::Resolve(args)) => resolve::run(&args),
        Some(Command::Rollback(args)) => rollback::run(&args),
        Some(Command::Runs(args)) => runs::run(&args),
        Some(Command::Audit(args)) => audit::run(&args),
        Some(Command::Replay(args)) => replay::run(&args),
        Some(Command::Simulate(args)) => simulate::run(&args),
        Some(Command::World(args)) => world::run(&args),
        Some(Command::Lineage(args)) => lineage::run(&args),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::Routing(args)) => routing::run(&args),
        Some(Command::Tools(args)) => tools::run(&args),
        Some(Command::Clock(args)) => clock::run(&args),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Writ(command)) => writ::run(&command),
        Some(Command::Keys(command)) => keys::run(&command),
        Some(Command::Skill(command)) => skill::run(&command),
        Some(Command::Policy(command)) => policy::run(&command),
        Some(Command::Roster(command)) => roster::run(&command),
    };
    done.map_or_else(failure::Failure::report, |()| ExitCode::SUCCESS)
}
