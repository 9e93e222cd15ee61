//! A run in which a model is asked again and again stores its conversation once, and not once more for every time it is asked.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use common::*;
use futures::executor::block_on;
use openthymos::{
    cognition::{Mock, Request, Turn},
    ledger::{Kind, StoredBlob},
    runtime::Limits,
    tool::ToolOutput,
    writ::Amounts,
};
use serde_json::json;

/// What a turn says and what its call brings, in characters: 2,000 tokens or so together.
const SAID: usize = 2_000;
const READ: usize = 6_000;

/// The bytes of a run in which the model is asked `turns` times, and how many of them are values.
fn bytes(turns: usize) -> (usize, usize) {
    let fixture = Fixture::default();
    let read = TestTool::world("read").calling(|_| Ok(ToolOutput::new("r".repeat(READ))));
    let runtime = fixture.open([read]);
    let run = start(&runtime, &signed(writ()));
    let turn = |number: usize| Turn {
        text: Some("s".repeat(SAID)),
        usage: Amounts { tokens: 10, ..Amounts::ZERO },
        ..Turn::calls([Request::call("read", json!({"amount": number}))])
    };
    let mut model = Mock::turns((0..turns).map(turn).collect()).answering("done");
    let limits = Limits { steps: turns as u64 + 1, ..Limits::default() };
    block_on(run.drive(&mut model, limits)).unwrap();
    let entries = fixture.entries(&run.id());
    let asked = entries.iter().filter(|entry| entry.header.known_kind() == Some(Kind::Turn)).count();
    assert_eq!(asked, turns + 1);
    let values: usize = entries.iter().flat_map(|entry| &entry.blobs).map(StoredBlob::bytes).sum();
    (entries.iter().map(|entry| entry.record.len()).sum::<usize>() + values, values)
}

#[test]
fn a_hundred_turns_store_the_conversation_once() {
    let ((_, few), (all, many)) = (bytes(50), bytes(100));
    // What is said and read, once, and next to nothing beside it.
    let conversation = 100 * (SAID + READ);
    assert!((conversation..conversation + 100 * 60).contains(&many), "{many}");
    assert!(all < conversation + 100 * 4_000, "{all}");
    assert!(many < 2 * few + 100, "{few} {many}");
}
