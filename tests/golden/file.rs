//! Golden files: one vector a line, in sealed JSON, so that a difference shows as one line.

use std::path::PathBuf;

use openthymos::canon::{canonical_value, parse};
use serde_json::Value;

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).join(name)
}

/// Compares with the file, or writes it when asked to.
pub fn holds(name: &str, made: &[u8]) {
    if std::env::var_os("THYMOS_BLESS").is_some() {
        std::fs::write(path(name), made).unwrap();
        return;
    }
    let golden = read(name);
    let line = |bytes: &[u8], at: usize| {
        bytes.split(|byte| *byte == b'\n').nth(at).map(|line| String::from_utf8_lossy(line).into_owned())
    };
    if golden != made {
        let count = golden.split(|byte| *byte == b'\n').count();
        let at = (0..count).find(|at| line(&golden, *at) != line(made, *at)).unwrap_or(count);
        panic!("{name}, line {}:\n golden {:?}\n   made {:?}", at + 1, line(&golden, at), line(made, at));
    }
}

/// The file's bytes.
pub fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}; THYMOS_BLESS=1 writes it"))
}

/// Compares vectors with their file.
pub fn vectors_hold(name: &str, vectors: &[Value]) {
    let lines: Vec<_> = vectors.iter().map(|vector| canonical_value(vector).unwrap()).collect();
    let text = [b"[\n".as_slice(), &lines.join(b",\n".as_slice()), b"\n]\n"].concat();
    holds(name, &text);
    // What stands in the file is what a reader gets.
    assert_eq!(parse(&text, 1 << 24).unwrap(), Value::from(vectors.to_vec()));
}

/// Lower-case hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
