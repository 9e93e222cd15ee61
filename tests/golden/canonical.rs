//! Sealed JSON: what is written for what is read, and what is refused.

use openthymos::canon::{MAX_DEPTH, ParseErrorKind, canonical_value, parse};
use serde_json::{Value, json};

use crate::file::{hex, vectors_hold};

const TEXTS: &[&str] = &[
    // Form.
    "null",
    " [ true , false , null ] ",
    "{}",
    "[]",
    "{\"b\":1,\"a\":{\"d\":[],\"c\":{}}}",
    "\t{\n\"a\" : 1\r}\n",
    // Key order by UTF-16 code units, not by bytes or code points.
    "{\"\u{e000}\":1,\"\u{10000}\":2,\"z\":3,\"\u{e9}\":4,\"\":5,\"a\":6,\"A\":7,\"aa\":8}",
    "{\"\u{fb33}\":1,\"\u{1f600}\":2,\"\u{20ac}\":3,\"\\r\":4,\"1\":5,\"\u{80}\":6,\"\u{f6}\":7}",
    "{\"a\u{10000}\":1,\"a\u{ffff}\":2,\"a\":3}",
    // Escapes.
    "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\"",
    "\"\\\"\\\\\\/\"",
    "\"\u{7f}\u{80}\u{2028}\u{2029}\u{feff}\"",
    "\"\\u20ac\\u00e9\\ud83d\\ude00\"",
    "\"\\uD834\\uDD1E\"",
    "\"e\u{301} is not \u{e9}\"",
    // Numbers.
    "0",
    "-0",
    "-0.0",
    "0.0",
    "1.0",
    "-1.50",
    "1e0",
    "1E+2",
    "10e-1",
    "1e-7",
    "1e-6",
    "0.000001",
    "0.0000001",
    "123456789.123456789",
    "4.35",
    "0.1",
    "0.30000000000000004",
    "333333333.33333329",
    "2.0e-3",
    "5e-324",
    "2.2250738585072014e-308",
    "1e-400",
    "9007199254740991",
    "-9007199254740991",
    "9007199254740991.0",
    "9.007199254740991e15",
    "4503599627370497.5",
    "1e15",
    "123e13",
    // Refused: numbers.
    "9007199254740992",
    "-9007199254740992",
    "9007199254740993",
    "9007199254740991.5",
    "1e16",
    "1e21",
    "1e999",
    "18446744073709551616",
    "01",
    "-",
    "1.",
    ".5",
    "1e",
    "+1",
    "0x1",
    "NaN",
    "Infinity",
    // Refused: strings.
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud83dx\"",
    "\"\u{1}\"",
    "\"\n\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\U0041\"",
    "\"open",
    "\"\\",
    // Refused: keys.
    "{\"a\":1,\"a\":1}",
    "{\"a\":1,\"b\":2,\"\\u0061\":3}",
    "{\"$serde_json::private::Number\":\"1\"}",
    "{\"$serde_json::private::RawValue\":\"1\"}",
    // Refused: form.
    "",
    " ",
    "{\"a\"}",
    "{\"a\":1,}",
    "{a:1}",
    "{1:1}",
    "[1,]",
    "[1 2]",
    "[",
    "tru",
    "True",
    "1 2",
    "{} x",
    "'a'",
    "\u{feff}1",
    "/* */ 1",
    "\u{a0}1",
];

/// Inputs that are not UTF-8.
const BYTES: &[&[u8]] = &[b"\"\xff\"", b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\"", b"\"\xf4\x90\x80\x80\"", b"\xff"];

fn word(kind: &ParseErrorKind) -> &'static str {
    match kind {
        ParseErrorKind::TooLarge { .. } => "too_large",
        ParseErrorKind::TooDeep => "too_deep",
        ParseErrorKind::DuplicateKey(_) => "duplicate_key",
        ParseErrorKind::ReservedKey(_) => "reserved_key",
        ParseErrorKind::NumberRange(_) => "number_range",
        ParseErrorKind::BadString => "bad_string",
        ParseErrorKind::Expected(_) => "not_json",
        other => panic!("no word for {other:?}"),
    }
}

fn vector(input: &[u8]) -> Value {
    let (name, text) = match std::str::from_utf8(input) {
        Ok(text) => ("input", text.to_owned()),
        Err(_) => ("input_hex", hex(input)),
    };
    let (outcome, what) = match parse(input, 1 << 16) {
        Ok(value) => ("sealed", String::from_utf8(canonical_value(&value).unwrap()).unwrap()),
        Err(error) => ("refused", word(&error.kind).to_owned()),
    };
    json!({ name: text, outcome: what })
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[test]
fn sealed_json_is_written_in_one_way_and_what_is_ambiguous_is_refused() {
    let deep = [nested(MAX_DEPTH), nested(MAX_DEPTH + 1)];
    let texts = TEXTS.iter().map(|text| text.as_bytes()).chain(deep.iter().map(|text| text.as_bytes()));
    let vectors: Vec<_> = texts.chain(BYTES.iter().copied()).map(vector).collect();
    vectors_hold("canonical.json", &vectors);

    for vector in vectors {
        let Some(sealed) = vector["sealed"].as_str() else { continue };
        let value = parse(sealed.as_bytes(), 1 << 16).unwrap();
        assert_eq!(canonical_value(&value).unwrap(), sealed.as_bytes(), "sealing again changes nothing");
        let read: Value = serde_json::from_str(sealed).unwrap();
        assert_eq!(read, value, "what can be sealed can be read");
        let other = serde_json_canonicalizer::to_vec(&value).unwrap();
        assert_eq!(other, sealed.as_bytes(), "another canonicaliser agrees");
    }
}
