//! Writs against a model that says plainly what they mean: a child is accepted only when all that it allows its parent
//! allows too, and an action passes exactly when every link of its chain allows it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that goes wrong should stop the test"
)]

mod actions;
mod draw;
mod pairs;
mod patterns;
