use crate::{
    canon::{EntryId, TrajectoryId, WritId},
    ledger::Head,
    replay::Fault,
    writ::Dimension,
};

/// What does not hold of a store as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreFault {
    /// An entry is not where the one before it says.
    #[error("position {expected}: an entry is missing, and the next one stands at {found}")]
    Gap {
        /// The position that was to follow.
        expected: u64,
        /// The position that did.
        found: u64,
    },
    /// An entry, as it stands in the log of the whole store, does not hold.
    #[error("position {position}, trajectory {}: {fault}", trajectory.short())]
    Entry {
        /// Its position.
        position: u64,
        /// Its trajectory.
        trajectory: TrajectoryId,
        /// What does not hold.
        fault: Box<Fault>,
    },
    /// A run was opened and is not there.
    #[error("run {run} was opened by authority entry {opened}, and it is not there")]
    Gone {
        /// The run.
        run: TrajectoryId,
        /// The seq of the authority entry that opened it.
        opened: u64,
    },
    /// A trajectory is there and was never opened.
    #[error("trajectory {0} is there, and no authority entry opened it")]
    Unopened(TrajectoryId),
    /// A head is not the last entry of its trajectory.
    #[error("trajectory {trajectory}: its head is stored as {}, and its last entry is {}", head(stored), head(last))]
    Head {
        /// The trajectory.
        trajectory: TrajectoryId,
        /// Its last entry; `None` when there is no such trajectory.
        last: Option<Head>,
        /// The stored head.
        stored: Option<Head>,
    },
    /// Trajectories are missing in the list of all, or out of order.
    #[error("{listed} trajectories are listed, and there are {trajectories}")]
    List {
        /// How many are listed.
        listed: usize,
        /// How many there are.
        trajectories: usize,
    },
    /// A trajectory is shorter, or another, in the log of the whole store than by itself.
    #[error("trajectory {trajectory} has {entries} entries by itself, and {logged} in the log of the whole store")]
    Log {
        /// The trajectory.
        trajectory: TrajectoryId,
        /// How many it has by itself.
        entries: u64,
        /// How many there are in the log.
        logged: u64,
    },
    /// More was granted under a writ than its budget.
    #[error(
        "position {position}, run {}: {granted} {} are spent or held under writ {}, and its budget is {budget}",
        run.short(), dimension.as_str(), writ.short()
    )]
    Overdrawn {
        /// Where the budget was exceeded first.
        position: u64,
        /// The run whose entry exceeded it.
        run: TrajectoryId,
        /// The writ.
        writ: WritId,
        /// The dimension.
        dimension: Dimension,
        /// What is spent or held, but for what outcomes cost beyond what was held for them.
        granted: u64,
        /// The budget.
        budget: u64,
    },
    /// A decision was made on a balance that there cannot have been.
    #[error(
        "position {position}, run {}: decided with {said} {} left under writ {}, and no more than {most} can have been left",
        run.short(), dimension.as_str(), writ.short()
    )]
    Balance {
        /// Where the decision stands.
        position: u64,
        /// Its run.
        run: TrajectoryId,
        /// The writ.
        writ: WritId,
        /// The dimension.
        dimension: Dimension,
        /// The balance in the decision.
        said: u64,
        /// The most that there can have been.
        most: u64,
    },
    /// A register is not what the entries make it.
    #[error(
        "the {register}: the entries make it {}, and it is stored as {}",
        rebuilt.as_deref().unwrap_or("absent"), stored.as_deref().unwrap_or("absent")
    )]
    Register {
        /// The register in words.
        register: String,
        /// What the entries make it, in words; `None` when there is to be none.
        rebuilt: Option<String>,
        /// What is stored, in words; `None` when there is none.
        stored: Option<String>,
    },
    /// An entry that somebody kept is not where it was.
    #[error(
        "position {position} holds {}, and entry {kept} was kept of it: the ledger was cut, rolled back or written anew",
        found.map_or("nothing".into(), |id| format!("entry {}", id.short()))
    )]
    Kept {
        /// The position.
        position: u64,
        /// What stands there.
        found: Option<EntryId>,
        /// What stood there.
        kept: EntryId,
    },
}

fn head(head: &Option<Head>) -> String {
    match head {
        Some(Head { seq, id, position }) => format!("entry {} at seq {seq}, position {}", id.short(), position.0),
        None => "absent".into(),
    }
}
