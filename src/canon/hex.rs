//! Lower-case hexadecimal text: one form per value, so that text compares as bytes do.

/// Why a text is not the hexadecimal form of a fixed number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} lower-case hexadecimal digits, found `{found}`")]
pub struct HexError {
    /// How many digits were expected.
    pub expected: usize,
    /// What was found, cut after 80 characters.
    pub found: String,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0')));
        }
    }
    text
}

pub(crate) fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let error = || HexError { expected: N * 2, found: text.chars().take(80).collect() };
    if text.len() != N * 2 {
        return Err(error());
    }
    let mut bytes = [0u8; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return Err(error()),
            };
            *byte = (*byte << 4) | value;
        }
    }
    Ok(bytes)
}
