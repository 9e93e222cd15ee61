//! The golden vectors hold in a build where `serde_json` keeps the order of members and the text of numbers.

#![cfg(test)]

#[path = "../canonical/values.rs"]
mod values;

use openthymos::{
    canon::{Blob, Salt, canonical_value, domain, parse, to_canonical},
    contract::Contract,
    intent::IntentRecord,
    policy::{Bundle, PolicySetDefinition},
    proposal::Decision,
    replay::{
        Gap, Pins, Verdict,
        export::{Line, verify},
    },
    writ::{UnverifiedChain, WritBody},
};
use serde_json::{Value, json};

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../golden/", $name))
    };
}

fn vectors(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_features_are_on() {
    let read = serde_json::from_str::<Value>("[1.10,{\"b\":1,\"a\":2}]").unwrap().to_string();
    let number = if cfg!(feature = "arbitrary_precision") { "1.10" } else { "1.1" };
    let object = if cfg!(feature = "preserve_order") { r#"{"b":1,"a":2}"# } else { r#"{"a":2,"b":1}"# };
    assert_eq!(read, format!("[{number},{object}]"));
}

#[test]
fn a_hundred_thousand_values_are_written_the_same() {
    assert_eq!(values::digest(), values::DIGEST);
    for value in values::all().step_by(10) {
        let sealed = canonical_value(&value).unwrap();
        // As the host's own `serde_json` writes and reads it, in whatever order and precision.
        let read: Value = serde_json::from_str(&value.to_string()).unwrap();
        assert_eq!(canonical_value(&read).unwrap(), sealed, "{value}");
        assert_eq!(canonical_value(&parse(&sealed, sealed.len()).unwrap()).unwrap(), sealed, "{value}");
    }
}

#[test]
fn sealed_json_is_the_same() {
    for vector in vectors(golden!("canonical.json")) {
        let input = vector["input"].as_str().map_or_else(|| bytes(text(&vector, "input_hex")), |text| text.into());
        match vector["sealed"].as_str() {
            None => assert!(parse(&input, 1 << 16).is_err(), "{vector}"),
            Some(sealed) => {
                assert_eq!(canonical_value(&parse(&input, 1 << 16).unwrap()).unwrap(), sealed.as_bytes(), "{vector}");
                // A value that the host read with `serde_json` itself, numbers and order as they stood.
                let read: Value = serde_json::from_slice(&input).unwrap();
                assert_eq!(canonical_value(&read).unwrap(), sealed.as_bytes(), "{vector}");
            }
        }
    }
}

#[test]
fn hashes_and_commitments_are_the_same() {
    for vector in vectors(golden!("hashes.json")) {
        let domain = domain::ALL.iter().find(|domain| domain.context() == text(&vector, "context")).unwrap();
        assert_eq!(hex(&domain.hash(&[&bytes(text(&vector, "input_hex"))])), text(&vector, "hash"));
    }
    for vector in vectors(golden!("blobs.json")) {
        let value: Value = serde_json::from_str(text(&vector, "text")).unwrap();
        let salt: Salt = text(&vector, "salt").parse().unwrap();
        assert_eq!(Blob::seal(&value, salt).unwrap().commitment().to_string(), text(&vector, "commitment"));
    }
}

#[test]
fn chains_verify_or_are_refused_the_same() {
    for vector in vectors(golden!("writs.json")) {
        let chain = to_canonical(&json!({ "chain": vector["chain"] })).unwrap();
        match UnverifiedChain::from_json(&chain).and_then(UnverifiedChain::verify) {
            Ok(chain) => {
                assert!(vector.get("refused").is_none(), "{vector}");
                let ids: Vec<_> = chain.links().map(|(id, _)| Value::from(id.to_string())).collect();
                assert_eq!(vector["ids"], Value::from(ids));
            }
            Err(_) => assert!(vector.get("refused").is_some(), "{vector}"),
        }
    }
}

#[test]
fn typed_ids_are_the_same() {
    let mut checked = 0;
    for vector in vectors(golden!("ids.json")) {
        let json = text(&vector, "json");
        let id = match text(&vector, "what") {
            "writ" => serde_json::from_str::<WritBody>(json).unwrap().id().unwrap().to_string(),
            "contract" => serde_json::from_str::<Contract>(json).unwrap().hash().unwrap().to_string(),
            "intent" => serde_json::from_str::<IntentRecord>(json).unwrap().id().unwrap().to_string(),
            "decision" => serde_json::from_str::<Decision>(json).unwrap().hash().unwrap().to_string(),
            "bundle" => serde_json::from_str::<Bundle>(json).unwrap().hash().unwrap().to_string(),
            "policy set" => serde_json::from_str::<PolicySetDefinition>(json).unwrap().hash().unwrap().to_string(),
            _ => continue,
        };
        assert_eq!(id, text(&vector, "id"), "{vector}");
        checked += 1;
    }
    assert_eq!(checked, 6);
}

#[test]
fn decisions_about_schemas_are_not_derived_again_without_the_feature() {
    let pins = Pins { rederive: true, ..Pins::default() };
    let (report, _) = verify(golden!("export.ndjson").as_bytes(), pins, |_, _| {}).unwrap();
    assert_eq!(report.verdict(), Verdict::Incomplete);
    let rederived = report.rederived.unwrap();
    assert_eq!(rederived.not_derived, [(Gap::Schema, rederived.decisions())].into());
}

#[test]
fn an_export_verifies_and_is_written_the_same() {
    let export = golden!("export.ndjson");
    let (report, _) = verify(export.as_bytes(), Pins::default(), |_, _| {}).unwrap();
    assert_eq!(report.verdict(), Verdict::Verified);
    for line in export.lines() {
        let read: Line = serde_json::from_str(line).unwrap();
        assert_eq!(to_canonical(&read).unwrap(), line.as_bytes());
    }
}
