//! The world's Merkle map: its root after every change, and changes that do not apply.

use openthymos::{
    canon::Commitment,
    world::{FoldOp, ResourceId, World},
};
use serde_json::{Value, json};

use crate::file::vectors_hold;

/// Kind, id, expected version (0: must not exist), and the byte of the new value's commitment; none removes it.
type Op = (&'static str, &'static str, u64, Option<u8>);

const SEQUENCES: &[&[&[Op]]] = &[
    &[&[("kv", "a", 0, Some(1))], &[("kv", "a", 1, Some(2))], &[("kv", "a", 2, None)], &[("kv", "a", 0, Some(1))]],
    &[
        &[("kv", "a", 0, Some(1)), ("kv", "b", 0, Some(2)), ("file", "a", 0, Some(3))],
        &[("kv", "b", 1, Some(4)), ("kv", "c", 0, Some(5))],
        &[("kv", "a", 1, None), ("kv", "c", 1, None)],
        // One resource twice in one change.
        &[("kv", "d", 0, Some(6)), ("kv", "d", 1, Some(7)), ("file", "a", 1, None), ("file", "a", 0, Some(8))],
        // These do not apply, and change nothing.
        &[("kv", "e", 0, Some(9)), ("kv", "b", 1, Some(9))],
        &[("kv", "b", 0, Some(9))],
        &[("kv", "none", 1, Some(9))],
        &[("kv", "none", 0, None)],
        &[],
        &[("kv", "b", 2, None), ("kv", "d", 2, None)],
        &[("file", "a", 1, None)],
    ],
];

fn resource(kind: &str, id: &str) -> ResourceId {
    ResourceId::new(kind, id).unwrap()
}

fn step(world: &mut World, ops: impl IntoIterator<Item = (ResourceId, u64, Option<Commitment>)>) -> Value {
    let ops: Vec<_> = ops.into_iter().collect();
    let shown = ops.iter().map(|(resource, expected, value)| match (value, expected) {
        (Some(value), 0) => json!({"create": {"resource": resource, "value": value}}),
        (Some(value), version) => json!({"replace": {"resource": resource, "value": value, "version": version}}),
        (None, version) => json!({"delete": {"resource": resource, "version": version}}),
    });
    let shown: Vec<_> = shown.collect();
    let folds = ops.into_iter().map(|(resource, expected, value)| FoldOp {
        resource,
        expected,
        becomes: value.map(|value| (value, None)),
    });
    let applies = world.fold(1, folds.collect()).is_ok();
    json!({"delta": shown, "applies": applies, "root": world.root()})
}

#[test]
fn worlds_have_the_recorded_roots() {
    let mut vectors = Vec::new();
    for sequence in SEQUENCES {
        let mut world = World::default();
        let steps = sequence.iter().map(|ops| {
            let ops = ops.iter().map(|(kind, id, expected, value)| {
                (resource(kind, id), *expected, value.map(|byte| Commitment([byte; 32])))
            });
            step(&mut world, ops)
        });
        vectors.push(Value::Array(steps.collect()));
    }
    // Enough resources that keys share prefixes, and ids beyond ASCII.
    let mut world = World::default();
    let many = |range: std::ops::Range<u32>, version: u64, there: bool| {
        range.map(move |n| {
            let value = there.then_some(Commitment([n as u8; 32]));
            (resource("many", &format!("{n} \u{e9}\u{1f600}")), version, value)
        })
    };
    vectors.push(json!([
        step(&mut world, many(0..64, 0, true)),
        step(&mut world, many(0..64, 1, false).filter(|(id, ..)| id.id().starts_with(['1', '2', '3']))),
        step(&mut world, many(50..60, 1, true)),
    ]));
    vectors_hold("worlds.json", &vectors);
}
