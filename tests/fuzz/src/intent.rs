//! Arguments are checked in bounded time, and sealed as they were read. A line: the schema; then the arguments.

use openthymos::{
    canon::{NamedBlob, canonical_value, parse},
    contract::{Contract, Effect, Risk, SealedContract, ToolName, Touches},
    host::SeededEntropy,
    intent::{Intent, SealedIntent},
};
use serde_json::Value;

const MAX_BYTES: usize = 1 << 16;

pub fn run(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let (schema, args) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let args = parse(args, MAX_BYTES).ok();
    if let Some(args) = &args {
        seal(args);
    }
    let Ok(schema) = parse(schema, MAX_BYTES) else { return };
    let contract = Contract {
        compensable: false,
        description: String::new(),
        effect: Effect::Read,
        name: ToolName::new("t").unwrap(),
        risk: Risk::Low,
        schema,
        touches: Touches::World,
        version: "1".into(),
    };
    match SealedContract::new(contract.clone()) {
        Ok(sealed) => {
            assert_eq!(sealed.hash(), contract.hash().unwrap());
            if let Some(args) = &args {
                check(&sealed, args);
            }
        }
        Err(error) => assert!(error.to_string().len() < 2_048, "{error}"),
    }
}

fn seal(args: &Value) {
    let intent = Intent::act("t", args.clone()).because("a reason");
    let sealed = intent.seal(&SeededEntropy::new(1)).expect("arguments that were read can be sealed");
    assert_eq!(canonical_value(sealed.args()).unwrap(), canonical_value(args).unwrap());
    let blobs: Vec<_> = sealed.blobs().cloned().map(NamedBlob::into_blob).collect();
    let again = SealedIntent::open(sealed.record().clone(), blobs[0].clone(), blobs.get(1).cloned()).unwrap();
    assert_eq!(again.id(), sealed.id());
}

fn check(contract: &SealedContract, args: &Value) {
    let checked = contract.check_arguments(args);
    assert_eq!(contract.check_arguments(args), checked);
    if !args.is_object() {
        assert!(checked.is_err());
    }
    if let Err(fault) = checked {
        assert!(fault.to_string().len() < 2_048, "{fault}");
        assert!(fault.pointer.len() > 256 || args.pointer(&fault.pointer).is_some(), "{fault} in {args}");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    [
        (r#"{"type":"object","properties":{"a":{"type":"integer","minimum":1},"b":{"type":"string","pattern":"^x+$"}},"required":["a"],"additionalProperties":false}"#, r#"{"a":2,"b":"xx"}"#),
        (r##"{"type":"object","$defs":{"t":{"anyOf":[{"type":"null"},{"type":"object","properties":{"next":{"$ref":"#/$defs/t"}}}]}},"properties":{"t":{"$ref":"#/$defs/t"}}}"##, r#"{"t":{"next":{"next":null}}}"#),
        (r#"{"type":"object","patternProperties":{"^a{1,9}$":{"enum":[1,"2",null]}},"propertyNames":{"maxLength":4},"unevaluatedProperties":false}"#, r#"{"aa":1}"#),
        (r#"{"type":"object","properties":{"l":{"type":"array","prefixItems":[{"const":1}],"items":{"oneOf":[{"multipleOf":3},{"format":"date"}]},"uniqueItems":true,"contains":{"not":{}}}},"if":{"minProperties":1},"then":{"dependentRequired":{"l":["m"]}},"else":false}"#, r#"{"l":[1,3,6,"2020-01-01"]}"#),
    ]
    .iter()
    .map(|(schema, args)| format!("{schema}\n{args}").into_bytes())
    .collect()
}
