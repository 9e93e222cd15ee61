//! History → what it would have been: decides every proposal on record once more, with other rules or another authority.
//!
//! Each decision is derived from what is recorded first, and then made again from the same inputs with a [`Change`]. It is judged
//! against the history as it is, not as it would have become. [`runs`] reads a store, [`export`] a file; both call no tool.
//! What they find they tell as they go, as [`Found`]; a [`Simulation`] has the totals.

mod change;
mod decide;
mod found;
mod radius;
mod report;
mod simulator;

pub use change::Change;
pub use found::{Affected, Because, Changed, Found, Place, Simulated};
pub use report::{Changes, Conclusion, Simulation};

pub(super) use change::Premise;
pub(super) use decide::Verdict;
pub(super) use simulator::Simulator;

use std::{
    collections::{HashMap, HashSet},
    io::BufRead,
    sync::Arc,
};

use super::{Pins, ReplayError, Replayer, StorePins, export::verify_by, run::run_by, store::Authority};
use crate::{canon::TrajectoryId, ledger::LedgerStore};

/// Which runs of a store.
#[derive(Debug, Clone, Copy)]
pub enum Runs<'a> {
    /// All of them.
    All,
    /// These.
    Of(&'a [TrajectoryId]),
}

/// Simulates a change on runs of a store, in the order in which they were opened. Every run is verified as a replay verifies
/// it, by `pins`.
///
/// The blast radius also takes in runs that are not simulated, where a run that is started them. Memory is bounded by the largest
/// world, by what waits and by the number of runs, not by the number of entries.
///
/// # Errors
/// When the rules are faulty or can never fire on the tools of the ledger, a run does not verify or is not there, a pin does
/// not hold, or the store fails.
pub async fn runs(
    store: &dyn LedgerStore,
    runs: Runs<'_>,
    change: Change,
    pins: Pins,
    mut found: impl FnMut(&Found) + Send,
) -> Result<Simulation, ReplayError> {
    let authority = Authority::read(store, &StorePins { signer: pins.signer, ..StorePins::default() }).await?;
    let premise = Arc::new(Premise::new(change, &authority.log)?);
    let wanted: Option<HashSet<_>> = match runs {
        Runs::All => None,
        Runs::Of(runs) => Some(runs.iter().copied().collect()),
    };
    let opened: HashSet<_> = authority.openings.iter().map(|(run, _)| *run).collect();
    if let Some(unknown) = wanted.iter().flatten().find(|run| !opened.contains(run)) {
        return Err(ReplayError::NoRun(*unknown));
    }
    let mut simulation = Simulation::default();
    let mut started = HashMap::new();
    // A run is opened after the one that started it.
    for (run, _) in &authority.openings {
        let simulated = wanted.as_ref().is_none_or(|wanted| wanted.contains(run));
        let child_of = started.remove(run);
        if !simulated && child_of.is_none() {
            continue;
        }
        let mut replayer = Replayer::new(&authority.log, *run, Pins { rederive: true, ..pins.clone() });
        replayer.simulate(premise.clone(), child_of);
        let replayed = run_by(replayer, store, run, |_, replayer| {
            take(replayer, simulated, &mut simulation, &mut |of: &Found| {
                if let Found::Run { run, by } = of {
                    started.insert(*run, (by.at.run, by.at.seq));
                }
                found(of);
            });
        });
        let (report, _) = replayed.await.map_err(|error| ReplayError::Run { run: *run, source: Box::new(error) })?;
        if simulated {
            simulation.verified(&report);
        }
    }
    Ok(simulation)
}

/// Simulates a change on the run of an export. Runs that it started are told, and not their commits.
///
/// # Errors
/// As [`runs`]; a file that does not verify.
pub fn export(
    reader: impl BufRead,
    change: Change,
    pins: Pins,
    mut found: impl FnMut(&Found),
) -> Result<Simulation, ReplayError> {
    let mut simulation = Simulation::default();
    let begin = |replayer: &mut Replayer<'_>| {
        let premise = Premise::new(change, replayer.authority())?;
        replayer.simulate(Arc::new(premise), None);
        Ok(())
    };
    let visit = |_: &_, replayer: &Replayer<'_>| take(replayer, true, &mut simulation, &mut found);
    let (report, _) = verify_by(reader, Pins { rederive: true, ..pins }, begin, visit)?;
    simulation.verified(&report);
    Ok(simulation)
}

/// Takes what the last entry came to; of a run that is not simulated itself, only what is in the blast radius.
fn take(replayer: &Replayer<'_>, simulated: bool, simulation: &mut Simulation, found: &mut impl FnMut(&Found)) {
    let Some(simulator) = replayer.simulator() else { return };
    if let Some(tally) = simulator.decided.filter(|_| simulated) {
        simulation.count(tally);
    }
    let in_radius = |found: &Found| matches!(found, Found::Commit(_) | Found::Run { .. });
    for of in simulator.found.iter().filter(|of| simulated || in_radius(of)) {
        simulation.found(of);
        found(of);
    }
}
