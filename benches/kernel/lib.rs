//! Nothing: cargo wants a target beside the benches.
