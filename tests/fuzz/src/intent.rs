//! Arguments are checked in bounded time, and sealed as they were read; where they ask for a child, its writ is what they say. A line: the
//! schema; then the arguments.

use openthymos::{
    canon::{NamedBlob, Nonce, WritId, canonical_value, parse},
    contract::{Contract, Effect, Risk, SealedContract, ToolName, Touches},
    crypto::{NamedKey, SecretKey},
    host::SeededEntropy,
    intent::{Intent, SealedIntent},
    writ::{Amounts, Audience, ChildRequest, Delegation, Dimension, Scope, Window, WritBody},
};
use serde_json::Value;

const MAX_BYTES: usize = 1 << 16;

pub fn run(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let (schema, args) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let args = parse(args, MAX_BYTES).ok();
    if let Some(args) = &args {
        seal(args);
        ask_for_a_child(args);
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

fn parent() -> WritBody {
    let named = |seed| NamedKey::new("a", SecretKey::from_seed(&[seed; 32]).public_key());
    WritBody {
        audience: Audience::Any,
        budget: Amounts { tokens: 100, tool_calls: 10, ..Amounts::ZERO },
        delegation: Delegation { depth: 2, may_subdivide: true },
        effect_ceiling: Effect::Write,
        format: 1,
        issuer: named(1),
        nonce: Nonce([1; 16]),
        parent: None,
        scopes: vec![Scope::tools("kv_*".parse().unwrap())],
        subject: named(2),
        tenant: String::new(),
        window: Window { expires_at_ms: 2, not_before_ms: 1 },
    }
}

fn ask_for_a_child(args: &Value) {
    let Ok(request) = ChildRequest::from_args(args) else { return };
    let (parent, id, nonce) = (parent(), WritId([3; 32]), Nonce([4; 16]));
    let writ = request.writ((id, &parent), parent.issuer.clone(), nonce);
    assert_eq!(
        (writ.parent, &writ.issuer, &writ.subject, writ.nonce),
        (Some(id), &parent.subject, &parent.issuer, nonce)
    );
    assert_eq!((&writ.audience, &writ.tenant, &writ.window), (&parent.audience, &parent.tenant, &parent.window));
    let asked = |pointer: &str| args.pointer(pointer).and_then(Value::as_u64);
    for dimension in Dimension::ALL {
        let said = asked(&format!("/budget/{}", dimension.as_str()));
        assert_eq!(writ.budget.get(dimension), said.unwrap_or(parent.budget.get(dimension)), "{args}");
    }
    assert_eq!(u64::from(writ.delegation.depth), asked("/depth").unwrap_or(0), "{args}");
    assert_eq!(writ.effect_ceiling.as_str(), args.get("effects").and_then(Value::as_str).unwrap_or("read"), "{args}");
    let tools = args["tools"].as_array().unwrap();
    assert!(writ.scopes.iter().map(|scope| scope.tool.as_str()).eq(tools.iter().map(|tool| tool.as_str().unwrap())));
    if writ.check_limits().is_ok() && writ.is_within(&parent).is_ok() {
        assert!(writ.budget.exceeds(&parent.budget).is_none() && writ.effect_ceiling <= parent.effect_ceiling);
        assert!(writ.delegation.depth < parent.delegation.depth && writ.id().is_ok());
    }
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
    .chain([child_seed()])
    .collect()
}

fn child_seed() -> Vec<u8> {
    let args = r#"{"budget":{"tokens":10,"usd_millicents":0},"depth":1,"effects":"write","task":"a part","tools":["kv_*","kv_get"]}"#;
    format!("{}\n{args}", Contract::delegate().schema).into_bytes()
}
