//! Policies decide as they are written, and policies that cannot do what they say do not load.

mod bundles;
mod check;
mod decide;
mod document;
mod engines;
mod fixture;
