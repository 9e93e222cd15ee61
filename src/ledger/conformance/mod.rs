//! The suite that every [`LedgerStore`] passes: each sentence of its contract as a named check.
//!
//! ```
//! use openthymos::ledger::{MemoryLedger, conformance};
//!
//! let outcome = futures::executor::block_on(conformance::check(async || Ok(MemoryLedger::new())));
//! assert!(outcome.is_ok());
//! ```
//!
//! A store that keeps its promises across processes needs tests of its own for that: the suite does not open anything
//! twice.

mod appending;
mod bytes;
mod expectations;
mod paging;
mod races;
mod sample;
mod snapshots;

use std::sync::Arc;

use super::{LedgerStore, StoreError};

/// A rule of the contract that a store breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("conformance check `{check}`: {reason}")]
pub struct ConformanceError {
    /// The check that failed.
    pub check: &'static str,
    /// What the store did.
    pub reason: String,
}

/// What a check found.
type Outcome = Result<(), String>;

/// Fails a check unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            return Err(format!($($reason)+));
        }
    };
}
use ensure;

macro_rules! checks {
    ($($module:ident :: $name:ident),* $(,)?) => {
        /// The names of all checks, in the order in which they run.
        pub const CHECKS: &[&str] = &[$(stringify!($name)),*];

        /// Runs all checks, each on a store of its own that `make` returns and that must be empty.
        ///
        /// The checks on concurrency call the store from threads of their own, outside of any asynchronous runtime.
        ///
        /// # Errors
        /// The first check that failed.
        pub async fn check<S, F>(make: F) -> Result<(), ConformanceError>
        where
            S: LedgerStore + 'static,
            F: AsyncFn() -> Result<S, StoreError>,
        {
            $(
                let check = stringify!($name);
                let failed = |reason| ConformanceError { check, reason };
                let store = make().await.map_err(|error| failed(format!("no store could be made: {error}")))?;
                $module::$name(Arc::new(store)).await.map_err(failed)?;
            )*
            Ok(())
        }
    };
}

checks! {
    appending::an_empty_store_holds_nothing,
    appending::positions_ascend_without_gaps,
    appending::an_empty_batch_tells_the_next_position,
    appending::heads_follow_the_entries,
    appending::an_entry_must_follow_its_head,
    appending::a_refused_batch_leaves_nothing,
    expectations::expectations_compare_with_what_was_before,
    expectations::a_missed_expectation_refuses_the_batch,
    expectations::registers_are_set_and_removed,
    bytes::bytes_come_back_as_they_went_in,
    bytes::large_values_come_back,
    snapshots::a_snapshot_comes_back_as_it_was_kept_or_not_at_all,
    paging::reading_a_trajectory_pages,
    paging::scanning_pages,
    paging::listing_trajectories_pages,
    paging::listing_registers_pages,
    races::one_writer_wins_each_seq,
    races::writers_of_different_trajectories_do_not_disturb_each_other,
    races::a_compared_register_loses_no_update,
}
