//! A script is read to the end or refused with its place; every call that it holds can be made.

use futures::executor::block_on;
use openthymos::{
    cognition::{Cognition, Context, Mock, TurnEvents, TurnPiece},
    host::SeededEntropy,
    intent::Intent,
};

struct Silent;

impl TurnEvents for Silent {
    fn piece(&self, _: TurnPiece) {}
}

pub fn run(bytes: &[u8]) {
    let mut mock = match Mock::from_json(bytes) {
        Ok(mock) => mock,
        Err(error) => return assert!(error.to_string().len() < 2_048, "{error}"),
    };
    let context = Context::default();
    // A script of so many bytes has fewer steps.
    for _ in 0..=bytes.len() {
        let turn = block_on(mock.step(&context, &Silent)).expect("a script never fails");
        if turn.requests.is_empty() {
            return;
        }
        for request in turn.requests {
            let intent = Intent { kind: request.kind, ..Intent::act(request.tool, request.args) };
            intent.seal(&SeededEntropy::new(1)).expect("what a script asks for can be sealed");
        }
    }
    panic!("the script does not end");
}

pub fn seeds() -> Vec<Vec<u8>> {
    [
        r#"[[{"tool":"list_files","args":{}}],{"say":"now","calls":[{"tool":"fs_write","args":{"path":"a"},"kind":"query","rationale":"why"}]},{"answer":"done"}]"#,
        r#"[{"answer":"done"}]"#,
        "[]",
        r#"[[{"tol":"x"}]]"#,
        r#"[[],[{"tool":"a"}]]"#,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}
