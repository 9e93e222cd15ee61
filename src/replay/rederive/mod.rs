//! Decision → the same decision: compiles again what a run's entries say was compiled, from what they say and nothing else.

mod definitions;
mod difference;
mod rederiver;
mod report;

pub use difference::{Difference, Differing, Part};
pub use report::{Gap, Rederived};

pub(super) use definitions::{Definitions, Ready};
pub(super) use rederiver::{Rederiver, Scene};
