use futures::executor::block_on;

use super::{
    VERSION,
    failure::Done,
    home::Home,
    locate::Place,
    out::Out,
    runs,
    style::{BOLD, DIM, paint},
};

/// How many runs the screen shows.
const RUNS: usize = 5;

/// The screen of a bare `thymos`: what it is, where things are, what to do next.
pub(super) fn run() -> Done {
    let (home, place) = (Home::locate()?, Place::default());
    let path = std::path::absolute(place.ledger()).unwrap_or_else(|_| place.ledger());
    let mut out = Out::new();
    out.line(format_args!("{} {}", paint(BOLD, "thymos"), paint(DIM, VERSION)));
    out.line("Agents propose; every action is authorized by a writ, recorded in a ledger, and can be verified.");
    out.line("");
    let there = |there: bool| if there { "" } else { " (none yet)" };
    out.field("ledger", format_args!("{}{}", path.display(), there(path.exists())));
    out.field("keys", format_args!("{}{}", home.path().display(), there(home.exists())));
    out.line("");
    let mut next = vec![("run \"Map this repository\"", "run a task in this directory")];
    if path.exists() {
        match place.open_existing().and_then(|ledger| block_on(runs::list(&ledger, RUNS))) {
            Ok(runs) => runs::show(&mut out, &runs),
            Err(failure) => drop(failure.report()),
        }
        out.line("");
        next.push(("audit last", "what it did, and under whose authority"));
        next.push(("replay last --verify", "verify it"));
        next.push(("export last -o run.ndjson", "a file that proves itself"));
    }
    next.push(("tools", "what a writ can grant"));
    next.push(("help", "every command"));
    for (command, what) in next {
        out.line(format_args!("  thymos {} {}", super::style::pad(command, 26), paint(DIM, what)));
    }
    out.finish()
}
