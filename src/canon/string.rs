//! Strings of sealed JSON: quoted, with the fewest escapes.

/// Writes a text as a string.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    out.reserve(rest.len() + 2);
    out.push(b'"');
    // Hardly any text has something to escape.
    while !is_plain(rest)
        && let Some(at) = rest.iter().position(is_escaped)
        && let (plain, [byte, tail @ ..]) = rest.split_at(at)
    {
        out.extend_from_slice(plain);
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Whether a string has to escape a byte.
fn is_escaped(byte: &u8) -> bool {
    *byte < 0x20 || matches!(byte, b'"' | b'\\')
}

/// Whether a text has nothing to escape.
fn is_plain(text: &[u8]) -> bool {
    let (long, rest) = text.as_chunks::<32>();
    long.iter().all(are_plain) && is_plain_end(rest)
}

/// As [`is_plain`], of the end of a text.
fn is_plain_end(text: &[u8]) -> bool {
    match text.last_chunk::<8>() {
        // Its end is looked at with the bytes before it: twice, if need be.
        Some(last) => text.as_chunks::<8>().0.iter().all(are_plain) && are_plain(last),
        None => !text.iter().any(is_escaped),
    }
}

/// Whether none of many bytes [is escaped](is_escaped): without a branch between them, all are looked at together.
fn are_plain<const N: usize>(bytes: &[u8; N]) -> bool {
    !bytes.iter().fold(false, |any, byte| any | is_escaped(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_escaped_as_serde_json_does(
            text in "([ -~]{0,20}|[é😀\u{0}-\u{1f}\"\\\\\u{7f}]{0,2}){0,6}|[0-9a-f]{63}[0-9a-f\"\u{1f}]",
        ) {
            let mut out = Vec::new();
            string(&mut out, &text);
            prop_assert_eq!(out, serde_json::to_string(&text).unwrap().into_bytes());
        }

        #[test]
        fn what_is_plain_has_no_byte_that_is_escaped(
            bytes in prop::collection::vec(prop::sample::select(b"aaaa \x1f\x20\x21\"#[\\]\x7f\x80\xa2\xdc\xff".to_vec()), 0..100),
        ) {
            prop_assert_eq!(is_plain(&bytes), !bytes.iter().any(is_escaped));
        }
    }
}
