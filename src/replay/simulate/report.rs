use std::collections::BTreeMap;

use super::{Changed, Found, Simulated, simulator::Tally};
use crate::{
    proposal::Status,
    replay::{Gap, Report},
};

/// What a simulation came to. Every decision is unchanged, changed or without a verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simulation {
    /// How many runs were simulated.
    pub runs: u64,
    /// How many decisions would be the same.
    pub unchanged: u64,
    /// How many would be others.
    pub changed: Changes,
    /// How many there is no verdict on, by what is missing.
    pub undecided: BTreeMap<Gap, u64>,
    /// How many of those with a verdict rest on verdicts of Rust code, which were taken as they are recorded.
    pub asserted: u64,
    /// How many commits are in the blast radius.
    pub commits: u64,
    /// How many runs are in it as a whole.
    pub started: u64,
    /// What of the runs could not be verified.
    pub incomplete: Vec<String>,
}

/// How many decisions would be others, by what they would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// They were not refused, and would be.
    pub refused: u64,
    /// They were refused, and would be for another reason.
    pub refused_otherwise: u64,
    /// They would wait for approval, or on another channel.
    pub suspended: u64,
    /// They would be carried out.
    pub staged: u64,
    /// They were refused, and would reach their tools; what comes of them is not on record.
    pub reaching: u64,
}

impl Changes {
    /// How many there are.
    pub fn total(&self) -> u64 {
        self.refused + self.refused_otherwise + self.suspended + self.staged + self.reaching
    }
}

/// What there is to conclude from a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// Every decision has a verdict, all were verified, and nothing changes.
    NothingChanges,
    /// Something changes.
    Changes,
    /// Nothing was found to change, and not everything has a verdict, or there was no run. Not the same as nothing changes.
    Incomplete,
}

impl Simulation {
    /// How many decisions there are.
    pub fn decisions(&self) -> u64 {
        self.unchanged + self.changed.total() + self.undecided.values().sum::<u64>()
    }

    /// What there is to conclude.
    pub fn conclusion(&self) -> Conclusion {
        if self.changed.total() > 0 {
            Conclusion::Changes
        } else if self.runs > 0 && self.undecided.is_empty() && self.incomplete.is_empty() {
            Conclusion::NothingChanges
        } else {
            Conclusion::Incomplete
        }
    }

    /// Counts a decision.
    pub(super) fn count(&mut self, tally: Tally) {
        match tally {
            Tally::Decided { asserted, unchanged } => {
                self.asserted += u64::from(asserted);
                self.unchanged += u64::from(unchanged);
            }
            Tally::Undecided(gap) => *self.undecided.entry(gap).or_default() += 1,
        }
    }

    /// Counts what was found.
    pub(super) fn found(&mut self, found: &Found) {
        match found {
            Found::Changed(changed) => self.changed.count(changed),
            Found::Commit(_) => self.commits += 1,
            Found::Run { .. } => self.started += 1,
            Found::Undecided { .. } => {}
        }
    }

    /// A run was simulated to its end.
    pub(super) fn verified(&mut self, report: &Report) {
        self.runs += 1;
        // What could not be derived is counted by itself.
        let gaps: Vec<_> = report.rederived.iter().flat_map(|rederived| rederived.incomplete()).collect();
        let unverified: Vec<_> = report.incomplete.iter().filter(|reason| !gaps.contains(reason)).cloned().collect();
        if !unverified.is_empty() {
            self.incomplete.push(format!("run {}: {}", report.trajectory.short(), unverified.join(", ")));
        }
    }
}

impl Changes {
    fn count(&mut self, changed: &Changed) {
        let counted = match (&changed.recorded, &changed.now) {
            (_, Simulated::ReachesTool) => &mut self.reaching,
            (_, Simulated::Decided(Status::Staged)) => &mut self.staged,
            (_, Simulated::Decided(Status::Suspended { .. })) => &mut self.suspended,
            (Status::Rejected(_), Simulated::Decided(Status::Rejected(_))) => &mut self.refused_otherwise,
            (_, Simulated::Decided(Status::Rejected(_))) => &mut self.refused,
        };
        *counted += 1;
    }
}
