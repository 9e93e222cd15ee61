//! Staged → Commit: asks a tool before, calls it, and turns what comes back into the record of what happened.
//!
//! A [`Staged`](crate::compile::Staged) proposal becomes an [`Execution`], with arguments that [`fill`] put secrets into:
//! they are [`Filled`] for the call alone, and hidden again in all that comes back. For a tool that touches the host at Write or
//! above, its dispatch record has to be durable before [`Execution::run`]; what came back is a [`Finished`], which
//! [`Finished::conclude`] checks against the tool's postcondition and the world, and turns into a commit or a failure.

mod conclude;
mod execution;
mod guard;
mod quote;
mod salts;
mod secrets;
mod unstored;

pub use conclude::{ConcludeError, Concluded, Conclusion, Finished};
pub use execution::Execution;
pub use quote::{MAX_QUOTE_TEXT, MAX_READ_BYTES, MAX_READS, QuoteError, fit_to_record, quote, reconcile};
pub use secrets::{Filled, fill};
pub use unstored::commit_failed;
