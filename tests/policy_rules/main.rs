//! Policies decide as they are written, and policies that cannot do what they say do not load.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod bundles;
mod check;
mod decide;
mod document;
mod engines;
mod fixture;
