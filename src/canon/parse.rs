//! A strict reader of foreign JSON: what could be read in two ways is refused, with the byte offset.

use serde_json::{Map, Number, Value};

use super::{MAX_DEPTH, MAX_INTEGER, limit::shown, write::RESERVED_KEY};

/// Where and why bytes are not sealable JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {kind}")]
pub struct ParseError {
    /// How many bytes were read before the fault.
    pub offset: usize,
    /// The fault.
    pub kind: ParseErrorKind,
}

/// Why bytes are not sealable JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// More bytes than the caller allows.
    #[error("{bytes} bytes, and the limit is {limit}")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Nesting beyond [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// The same key twice in one object; the key is cut after 160 characters.
    #[error("key `{0}` appears twice in one object")]
    DuplicateKey(String),
    /// A key that JSON libraries reserve.
    #[error("key `{0}` is reserved")]
    ReservedKey(String),
    /// A number outside ±(2^53 − 1).
    #[error("number `{0}` is outside ±(2^53 − 1): send a string")]
    NumberRange(String),
    /// A string with a lone surrogate, a bad escape, a control character or bytes that are not UTF-8.
    #[error("string is not well formed")]
    BadString,
    /// Something else than JSON.
    #[error("expected {0}")]
    Expected(&'static str),
}

/// Reads one JSON value of at most `max_bytes` bytes.
///
/// # Errors
/// Anything that is not JSON, and JSON that sealed JSON cannot hold: see [`ParseErrorKind`].
pub fn parse(bytes: &[u8], max_bytes: usize) -> Result<Value, ParseError> {
    let mut parser = Parser { bytes, at: 0 };
    if bytes.len() > max_bytes {
        return Err(parser.error(ParseErrorKind::TooLarge { bytes: bytes.len(), limit: max_bytes }));
    }
    let value = parser.value(0)?;
    parser.space();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.error(ParseErrorKind::Expected("the end"))),
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn error(&self, kind: ParseErrorKind) -> ParseError {
        ParseError { offset: self.at, kind }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, byte: u8, what: &'static str) -> Result<(), ParseError> {
        if self.take(byte) { Ok(()) } else { Err(self.error(ParseErrorKind::Expected(what))) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, ParseError> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.error(ParseErrorKind::Expected("a value"))),
        }
    }

    fn literal(&mut self, text: &'static str, value: Value) -> Result<Value, ParseError> {
        let end = self.at + text.len();
        if self.bytes.get(self.at..end) != Some(text.as_bytes()) {
            return Err(self.error(ParseErrorKind::Expected("a value")));
        }
        self.at = end;
        Ok(value)
    }

    fn open(&mut self, depth: usize) -> Result<(), ParseError> {
        if depth > MAX_DEPTH {
            return Err(self.error(ParseErrorKind::TooDeep));
        }
        self.at += 1;
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<Value, ParseError> {
        self.open(depth)?;
        let mut members = Map::new();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.error(ParseErrorKind::Expected("a key")));
            }
            let key = self.string()?;
            let fault = if key.starts_with(RESERVED_KEY) {
                Some(ParseErrorKind::ReservedKey(shown(&key)))
            } else if members.contains_key(&key) {
                Some(ParseErrorKind::DuplicateKey(shown(&key)))
            } else {
                None
            };
            if let Some(kind) = fault {
                return Err(ParseError { offset: start, kind });
            }
            self.need(b':', "`:`")?;
            members.insert(key, self.value(depth)?);
            if !self.take(b',') {
                break;
            }
        }
        self.need(b'}', "`,` or `}`")?;
        Ok(Value::Object(members))
    }

    fn array(&mut self, depth: usize) -> Result<Value, ParseError> {
        self.open(depth)?;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if !self.take(b',') {
                break;
            }
        }
        self.need(b']', "`,` or `]`")?;
        Ok(Value::Array(items))
    }

    fn string(&mut self) -> Result<String, ParseError> {
        let start = self.at;
        let bad = ParseError { offset: start, kind: ParseErrorKind::BadString };
        let mut end = start + 1;
        loop {
            match self.bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => return Err(bad),
            }
        }
        self.at = end + 1;
        let text = self.bytes.get(start..=end).and_then(|text| std::str::from_utf8(text).ok());
        text.and_then(|text| serde_json::from_str(text).ok()).ok_or(bad)
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.error(ParseErrorKind::Expected("a digit"))) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = self.bytes.get(start..self.at).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
        let number = match text.parse::<i64>() {
            Ok(integer) if integer.unsigned_abs() <= MAX_INTEGER => Some(Number::from(integer)),
            Ok(_) => None,
            Err(_) => {
                let float = text.parse::<f64>().ok().filter(|float| float.abs() <= MAX_INTEGER as f64);
                float.and_then(Number::from_f64)
            }
        };
        number.map(Value::Number).ok_or_else(|| ParseError {
            offset: start,
            kind: ParseErrorKind::NumberRange(text.chars().take(80).collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind(text: &str) -> ParseErrorKind {
        parse(text.as_bytes(), 1 << 16).unwrap_err().kind
    }

    #[test]
    fn ordinary_json_is_read() {
        let text = r#" {"a":[1,-2.5e1,true,null,"\u00e9\ud83d\ude00"], "b":{}} "#;
        assert_eq!(parse(text.as_bytes(), 100).unwrap(), json!({"a": [1, -25.0, true, null, "é😀"], "b": {}}));
    }

    #[test]
    fn ambiguous_or_hostile_json_is_refused() {
        assert_eq!(kind(r#"{"a":1,"\u0061":2}"#), ParseErrorKind::DuplicateKey("a".into()));
        assert_eq!(kind("9007199254740993"), ParseErrorKind::NumberRange("9007199254740993".into()));
        assert!(matches!(kind("1e999"), ParseErrorKind::NumberRange(_)));
        assert_eq!(kind(r#""\ud800""#), ParseErrorKind::BadString);
        assert_eq!(kind("\"a\u{1}\""), ParseErrorKind::BadString);
        assert_eq!(kind("\"a\\"), ParseErrorKind::BadString);
        assert_eq!(kind(&"[".repeat(200)), ParseErrorKind::TooDeep);
        assert!(matches!(kind(r#"{"$serde_json::private::RawValue":"1"}"#), ParseErrorKind::ReservedKey(_)));
        for text in ["", "01", "1.", "[1,]", "{\"a\":1,}", "{a:1}", "tru", "1 2", "nan", "+1", "{\"a\"}"] {
            assert!(parse(text.as_bytes(), 100).is_err(), "{text}");
        }
        assert!(matches!(parse(b"[1,2]", 4).unwrap_err().kind, ParseErrorKind::TooLarge { .. }));
    }
}
