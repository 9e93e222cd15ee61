//! Ledger → World: checks entries and folds their commits. It sees entries and nothing else.
//!
//! [`Replayer`] takes the entries of one trajectory in order and stops at the first [`Fault`]. [`run`] feeds it from a
//! store, [`export`] from a file, [`store`] all of a store with its accounts and registers. A [`Report`] says what was checked and against which [`Pins`]; what could not be checked
//! makes it *incomplete*, which is not success. With [`Pins::rederive`] every decision is derived again: see [`Rederived`].
//! [`simulate`] makes them once more with other rules or another authority.

mod ahead;
mod authority;
pub mod export;
mod fault;
mod invalid;
mod lineage;
mod options;
mod origin;
mod pages;
mod pins;
mod record;
mod rederive;
mod replayer;
mod report;
mod routing;
mod run;
pub mod simulate;
mod snapshot;
mod store;
mod undo;
mod whole;

pub use authority::{AuthorityLog, Contracts, authority_of};
pub use fault::{Fault, FaultKind, ReplayError};
pub use invalid::{InvalidFrom, invalid_from};
pub use lineage::{Descendant, Lineage, LineageFault, lineage, task_of};
pub use options::Options;
pub use origin::UnknownEffect;
pub(crate) use pages::PageSize;
pub use pins::Pins;
pub use rederive::{Difference, Differing, Gap, Part, Rederived};
pub use replayer::{Folded, Replayer};
pub use report::{Report, Verdict};
pub use routing::{Routed, routing};
pub use run::{closure, run};
pub use snapshot::{KeptResource, SealedSnapshot, Snapshot, since_snapshot};
pub use store::{Kept, Progress, StoreFault, StorePins, StoreReport, WritAccount, store};
pub use undo::{Effects, Presented, UndoFault};
