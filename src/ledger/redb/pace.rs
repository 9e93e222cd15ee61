use std::{collections::HashSet, time::Duration};

use super::{job::Job, queue::Served};
use crate::canon::TrajectoryId;

/// Nobody comes any more when none has for this part of the time that a commit takes.
const GAP: u32 = 4;
/// At most so many times as long as a commit takes, a commit waits for company.
const PATIENCE: u32 = 2;

/// How long a commit waits for company: those who were just answered are given the time to come back. Otherwise the
/// quickest of them get a commit of their own, for which all others wait, and which costs more than their entries do.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Who took part in the last commit, and in the one before.
    runs: [HashSet<TrajectoryId>; 2],
    /// Whether several batches did: who comes alone does not wait.
    shared: [bool; 2],
    took: Duration,
}

impl Pace {
    /// Waits, now that one has come, for the others that are likely to.
    pub(super) fn wait(&self, queue: &Served) {
        if self.shared != [false; 2] {
            let [last, before] = &self.runs;
            queue.wait_for(last.union(before).count(), self.took / GAP, self.took * PATIENCE);
        }
    }

    /// Notes who took part in a commit, and how long it took.
    pub(super) fn note(&mut self, group: Group, took: Duration) {
        let [last, _] = std::mem::take(&mut self.runs);
        self.runs = [group.runs, last];
        let [last, _] = self.shared;
        self.shared = [group.shared, last];
        self.took = took;
    }
}

/// Who takes part in a commit.
#[derive(Debug)]
pub(super) struct Group {
    runs: HashSet<TrajectoryId>,
    shared: bool,
}

impl Group {
    pub(super) fn of(jobs: &[Job]) -> Self {
        let runs = jobs.iter().filter_map(|job| Some(job.links.first()?.trajectory)).collect();
        Self { runs, shared: jobs.len() > 1 }
    }
}
