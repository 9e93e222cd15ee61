//! Suspended → votes → decided once more: who may answer a request for approval, what their votes come to, and what of a
//! run waits.
//!
//! Nothing here signs, stores or reads a clock. The runtime votes with it, and replay counts the same votes again.

mod ballot;
mod request;
mod requests;
mod waiting;

pub use ballot::{Ballot, BallotError, VoteFault};
pub use request::{Cast, Request, Verdict};
pub use requests::{Denial, RequestFault, Requests};
pub use waiting::waiting;
