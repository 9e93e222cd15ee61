//! What is too large is refused before anything is done with it, and the refusal says what, how much, and the limit.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that goes wrong should stop the test"
)]

mod common;

use common::*;
use futures::executor::block_on;
use openthymos::{
    canon::{Blob, MAX_ENTRY_BLOBS, NamedBlob, Salt, to_canonical},
    cognition::Mock,
    crypto::Purpose,
    intent::Intent,
    ledger::{Draft, Kind},
    policy::Bundle,
    predicate::{MAX_CONDITION_DEPTH, MAX_CONDITION_PARTS},
    proposal::{Code, MAX_REFUSAL_BYTES},
    replay::{Pins, export::verify},
    runtime::Submitted,
    writ::{ChainError, MAX_CHAIN_LINKS, MAX_PINS, MAX_SCOPES, MAX_STORES, UnverifiedChain},
};
use serde_json::{Value, json};

/// A chain of one writ as JSON, changed and not signed anew: limits come before signatures.
fn chain(change: impl FnOnce(&mut Value)) -> Result<(), ChainError> {
    let mut value = serde_json::to_value(signed(writ()).to_unverified()).unwrap();
    change(&mut value["chain"][0]["writ"]);
    UnverifiedChain::from_json(value.to_string().as_bytes())?.verify().map(drop)
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    match chain(change).unwrap_err() {
        error @ ChainError::Limit { .. } => error.to_string(),
        other => panic!("{other}"),
    }
}

fn condition(depth: usize) -> Value {
    (1..depth).fold(json!({"field": "args.a", "op": "eq", "value": 1}), |inner, _| json!({"not": inner}))
}

#[test]
fn a_writ_has_limits() {
    assert!(chain(|_| {}).is_ok());
    let list = |count: usize, item: Value| Value::from(vec![item; count]);
    let id = json!("ab".repeat(32));
    let said = |what: &str, limit: usize| format!("writ 0: {} {what}, and the limit is {limit}", limit + 1);
    let scopes = |count| move |writ: &mut Value| writ["scopes"] = list(count, json!({"tool": "*"}));
    assert_eq!(refused(scopes(MAX_SCOPES + 1)), said("scopes", MAX_SCOPES));
    assert!(matches!(chain(scopes(MAX_SCOPES)), Err(ChainError::Signature { .. })));
    let stores = |count| {
        let id = id.clone();
        move |writ: &mut Value| writ["audience"] = list(count, id)
    };
    assert_eq!(refused(stores(MAX_STORES + 1)), said("stores", MAX_STORES));
    assert!(matches!(chain(stores(MAX_STORES)), Err(ChainError::Signature { .. })));
    let pins = list(MAX_PINS / 2 + 1, id.clone());
    let pinned = refused(|writ| writ["scopes"] = list(2, json!({"contracts": pins, "tool": "*"})));
    assert_eq!(pinned, format!("writ 0: {} pinned contracts, and the limit is {MAX_PINS}", MAX_PINS + 2));
    assert_eq!(refused(|writ| writ["tenant"] = "t".repeat(257).into()), said("bytes in the tenant's name", 256));
    assert_eq!(refused(|writ| writ["issuer"]["name"] = "n".repeat(257).into()), said("bytes in a key's name", 256));
    let when = |when: Value| move |writ: &mut Value| writ["scopes"] = json!([{"tool": "*", "when": when}]);
    assert_eq!(refused(when(condition(MAX_CONDITION_DEPTH + 1))), said("levels of a condition", MAX_CONDITION_DEPTH));
    assert!(matches!(chain(when(condition(MAX_CONDITION_DEPTH))), Err(ChainError::Signature { .. })));
    let listed = json!({"field": "args.a", "op": "in", "value": vec![1; MAX_CONDITION_PARTS]});
    assert_eq!(refused(when(listed)), said("parts of a condition", MAX_CONDITION_PARTS));
}

#[test]
fn a_chain_has_so_many_links() {
    let link = serde_json::to_value(signed(writ()).to_unverified()).unwrap()["chain"][0].clone();
    let chain = json!({ "chain": vec![link; MAX_CHAIN_LINKS + 1] });
    let error = UnverifiedChain::from_json(chain.to_string().as_bytes()).unwrap_err();
    assert_eq!(error, ChainError::Length { found: MAX_CHAIN_LINKS + 1 });
}

#[test]
fn a_writ_has_the_members_that_were_signed_and_no_other() {
    // Members in another order, and space between them, change nothing.
    let chain_of = signed(writ()).to_unverified();
    let pretty = serde_json::to_string_pretty(&chain_of).unwrap();
    assert_eq!(UnverifiedChain::from_json(pretty.as_bytes()).unwrap(), chain_of);
    let none = signed(writ().budget(openthymos::writ::Amounts::ZERO)).to_unverified();
    let mut value = serde_json::to_value(none).unwrap();
    value["chain"][0]["writ"]["budget"]["tokens"] = json!(0);
    assert_eq!(UnverifiedChain::from_json(value.to_string().as_bytes()), Err(ChainError::Form));
    assert_eq!(chain(|writ| writ["scopes"][0]["when"] = Value::Null), Err(ChainError::Form));
    let unknown = chain(|writ| writ["more"] = json!(1)).unwrap_err().to_string();
    assert!(unknown.starts_with("writ chain: unknown member `more`"), "{unknown}");
}

#[test]
fn a_bundle_has_limits() {
    let rule = |name: &str, reason: &str, when: Value| json!({"decision": {"kind": "deny", "reason": reason}, "name": name, "when": when});
    let read = |rules: Vec<Value>| {
        let bundle = json!({"name": "b", "rules": rules, "version": "1"});
        Bundle::from_json(bundle.to_string().as_bytes()).unwrap_err().to_string()
    };
    let all = || json!({"all": []});
    assert_eq!(read(vec![rule("r", "", all()); 4_097]), "policy bundle: 4097 rules, and the limit is 4096");
    let long = read(vec![rule("r", &"x".repeat(4_097), all())]);
    assert_eq!(long, "policy bundle, rule `r`: 4097 bytes in a reason, and the limit is 4096");
    let deep = read(vec![rule("r", "", condition(33))]);
    assert_eq!(deep, "policy bundle, rule `r`: 33 levels of a condition, and the limit is 32");
    assert!(read(vec![rule(&"r".repeat(300), "", all())]).contains("300 bytes in a name"));
}

#[test]
fn a_script_has_limits() {
    let steps = Value::from(vec![json!([{"tool": "a"}]); 4_097]).to_string();
    let said = |text: String| Mock::from_json(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(said(steps), "script: 4097 steps, and the limit is 4096");
    let calls = json!([vec![json!({"tool": "a"}); 257]]).to_string();
    assert_eq!(said(calls), "step 0: 257 calls, and the limit is 256");
    assert!(said(format!("[\"{}\"]", "x".repeat(1 << 20))).contains("and the limit is 1048576"));
}

#[test]
fn an_entry_introduces_so_many_values() {
    let blobs: Vec<_> = (0..=MAX_ENTRY_BLOBS).map(|at| Blob::seal(&json!(at), Salt([1; 16])).unwrap()).collect();
    let names = |blobs: &[Blob]| json!(blobs.iter().map(Blob::commitment).collect::<Vec<_>>());
    let error = Draft::seal(Kind::Erasure, &names(&blobs), blobs.clone()).unwrap_err();
    assert_eq!(error.to_string(), "8193 values, and the limit is 8192");
    let fits = &blobs[1..];
    // In linear time: nothing is searched once for each.
    let draft = Draft::seal(Kind::Erasure, &names(fits), fits.iter().rev().cloned().collect()).unwrap();
    assert_eq!(draft.blobs.into_iter().map(NamedBlob::into_blob).collect::<Vec<_>>(), fits);
}

#[test]
fn a_line_of_an_export_is_read_as_what_it_has_to_be() {
    let said = |text: &str| verify(text.as_bytes(), Pins::default(), |_, _| {}).err().unwrap().to_string();
    // Nothing is kept of a value that does not belong there.
    let bomb = format!("{{\"entry\":{{\"blobs\":[{}]}}}}\n", vec!["[]"; 100_000].join(","));
    assert!(said(&bomb).starts_with("line 1: byte 21: "), "{}", said(&bomb));
    let many = format!(
        "{{\"entry\":{{\"blobs\":[{}]}}}}\n",
        vec![r#"{"erased":"ab"}"#.replace("ab", &"ab".repeat(32)); 8_193].join(",")
    );
    assert!(said(&many).contains("a list of more than 8192 elements"), "{}", said(&many));
    assert_eq!(said("{\"export\":1"), "line 1: the line does not end: the file is cut short");
    assert!(said(&format!("{}\n", "[".repeat(100_000))).len() < 200);
}

#[test]
fn what_a_caller_chose_fits_the_record_of_its_refusal() {
    let fixture = Fixture::default();
    let tool = TestTool::world("act").with(|tool| {
        tool.contract.schema = json!({"type": "object", "additionalProperties": {"type": "integer"}});
    });
    let runtime = fixture.open([tool]);
    let run = start(&runtime, &signed(writ()));
    let mut args = serde_json::Map::new();
    args.insert("k".repeat(2 << 20), json!("no integer"));
    let refusal = match block_on(run.submit(Intent::act("act", args.into()))).unwrap() {
        Submitted::Rejected { refusal, .. } => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal.code, Code::SchemaViolation);
    assert!(refusal.pointer.unwrap().len() <= MAX_REFUSAL_BYTES);
    verified(&runtime, &run.id());
}

#[test]
fn a_call_that_reads_more_than_a_record_holds_is_refused_on_record() {
    let fixture = Fixture::default();
    let reading = |count: usize, length: usize| {
        TestTool::world("act").with(|tool| tool.reads = (0..count).map(|at| kv(&format!("{at:0>length$}"))).collect())
    };
    for (count, length, done) in [(512, 100, true), (513, 1, false), (200, 1_000, false)] {
        let tool = reading(count, length);
        let counter = tool.counter();
        let runtime = fixture.open([tool]);
        let run = start(&runtime, &signed(writ()));
        match submit(&run, "act", json!({})) {
            Submitted::Committed { .. } => assert!(done),
            Submitted::Rejected { refusal, .. } => assert!(!done && refusal.code == Code::QuoteUnavailable),
            other => panic!("{other:?}"),
        }
        assert_eq!(counter.get(), usize::from(done));
        verified(&runtime, &run.id());
    }
}

#[test]
fn a_limit_is_judged_before_a_signature() {
    let mut chain = signed(writ()).to_unverified();
    let link = chain.chain.first_mut().unwrap();
    link.writ.tenant = "t".repeat(300);
    let forged = UnverifiedChain { chain: vec![link.clone()] };
    assert!(matches!(forged.clone().verify(), Err(ChainError::Limit { index: 0, .. })));
    // Whoever signs it.
    link.signature = key(ISSUER).sign(Purpose::Writ, link.writ.id().unwrap().as_bytes());
    assert!(matches!(chain.verify(), Err(ChainError::Limit { index: 0, .. })));
    assert!(to_canonical(&forged).is_ok());
}
