//! Conditions follow Kleene's logic, and their fields' names are read in one way. A line: the condition; then the fields.

use std::borrow::Cow;

use openthymos::{
    canon::{canonical_value, parse, to_canonical},
    predicate::{FieldPath, Fields, Predicate, Truth},
};
use serde_json::Value;

const MAX_BYTES: usize = 1 << 16;

struct Args(Value);

impl Fields for Args {
    fn field(&self, path: &FieldPath) -> Option<Cow<'_, Value>> {
        path.descend(1, &self.0).map(Cow::Borrowed)
    }
}

pub fn run(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let (condition, args) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    if let Ok(path) = std::str::from_utf8(condition).map_err(drop).and_then(|text| FieldPath::parse(text).map_err(drop))
    {
        assert_eq!(FieldPath::parse(&path.to_string()).as_ref(), Ok(&path));
        assert!(path.steps().len() > 0);
    }
    let Ok(value) = parse(condition, MAX_BYTES) else { return };
    let Ok(condition) = serde_json::from_value::<Predicate>(value.clone()) else { return };
    let written = to_canonical(&condition).expect("what is read can be sealed");
    assert_eq!(written, canonical_value(&value).unwrap(), "a condition has no members of another form");
    let args = Args(parse(args, MAX_BYTES).unwrap_or_default());
    let truth = condition.evaluate(&args);
    let not = Predicate::Not(Box::new(condition.clone()));
    let opposite = match truth {
        Truth::True => Truth::False,
        Truth::False => Truth::True,
        Truth::Unknown => Truth::Unknown,
    };
    assert_eq!(not.evaluate(&args), opposite);
    let both = Predicate::All(vec![condition.clone(), not.clone()]).evaluate(&args);
    let either = Predicate::Any(vec![condition, not]).evaluate(&args);
    match truth {
        Truth::Unknown => assert_eq!((both, either), (Truth::Unknown, Truth::Unknown)),
        _ => assert_eq!((both, either), (Truth::False, Truth::True)),
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let args = r#"{"a":{"b":[1,"2",null,{"c":true}]},"amount":5,"to":"alice","x.y":-0.5}"#;
    let mut seeds: Vec<_> = [
        r#"{"field":"args.amount","op":"lte","value":100}"#,
        r#"{"all":[{"field":"args.a.b.3.c","op":"eq","value":true},{"not":{"field":"args.to","op":"in","value":["bob",1]}}]}"#,
        r#"{"any":[{"field":"args[\"x.y\"]","op":"gt","value":-1},{"field":"args.none","op":"ne","value":null},{"all":[]}]}"#,
        r#"{"field":"args.a.b","op":"contains","value":"2"}"#,
        r#"{"field":"args.to","op":"starts_with","value":"al"}"#,
        r#"{"not":{"not":{"any":[]}}}"#,
    ]
    .iter()
    .map(|condition| format!("{condition}\n{args}").into_bytes())
    .collect();
    seeds.push(br#"args.a["b.c"].d[""]["\ud83d\ude00"]-_1"#.to_vec());
    seeds
}
