//! Lower-case hexadecimal text: one form per value, so that text compares as bytes do.

use serde::{Deserializer, de::Visitor};

/// Why a text is not the hexadecimal form of a fixed number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} lower-case hexadecimal digits, found `{found}`")]
pub struct HexError {
    /// How many digits were expected.
    pub expected: usize,
    /// What was found, cut after 80 characters.
    pub found: String,
}

/// The digits of bytes of a fixed number: text that needs no memory of its own.
pub(crate) struct Digits<const N: usize>([[u8; 2]; N]);

// Computed, not looked up: several bytes are computed at once.

/// The digit of a value below sixteen.
fn digit(value: u8) -> u8 {
    value + if value < 10 { b'0' } else { b'a' - 10 }
}

/// What a digit stands for; sixteen or more for what is none.
fn value(digit: u8) -> u8 {
    let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    if number < 10 {
        number
    } else if letter < 6 {
        letter + 10
    } else {
        u8::MAX
    }
}

impl<const N: usize> Digits<N> {
    pub(crate) fn of(bytes: &[u8; N]) -> Self {
        let mut digits = [[0; 2]; N];
        for (pair, byte) in digits.iter_mut().zip(bytes) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        Self(digits)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_flattened()
    }

    pub(crate) fn as_str(&self) -> &str {
        // Digits are ASCII.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).map(char::from).collect()
}

pub(crate) fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    decode(text.as_bytes()).ok_or_else(|| HexError { expected: N * 2, found: text.chars().take(80).collect() })
}

/// The bytes that digits stand for; none where their number is another, or one is no digit.
pub(crate) fn decode<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let pairs: &[_; N] = pairs.try_into().ok()?;
    let (mut values, mut wrong) = ([[0; 2]; N], 0);
    for (found, digit) in values.as_flattened_mut().iter_mut().zip(pairs.as_flattened()) {
        *found = value(*digit);
        wrong |= *found;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(values) {
        *byte = high << 4 | low;
    }
    (wrong < 16).then_some(bytes)
}

/// Reads bytes of a fixed number from their digits, as [`decode_array`] does, wherever the text lies.
pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
    struct Text<const N: usize>;

    impl<const N: usize> Visitor<'_> for Text<N> {
        type Value = [u8; N];

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<[u8; N], E> {
            decode_array(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_are_those_that_formatting_writes_and_read_back(bytes in any::<[u8; 32]>()) {
            let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let digits = Digits::of(&bytes);
            prop_assert_eq!(digits.as_str(), &text);
            prop_assert_eq!(encode(&bytes), text.clone());
            prop_assert_eq!(decode_array(&text), Ok(bytes));
        }

        #[test]
        fn one_wrong_digit_or_one_more_or_less_is_refused(bytes in any::<[u8; 8]>(), at in 0usize..16, wrong in any::<char>()) {
            let mut text = encode(&bytes);
            prop_assert!(decode_array::<7>(&text).is_err() && decode_array::<9>(&text).is_err());
            text.replace_range(at..=at, wrong.encode_utf8(&mut [0; 4]));
            let digit = wrong.is_ascii_digit() || ('a'..='f').contains(&wrong);
            prop_assert_eq!(decode_array::<8>(&text).is_ok(), digit, "{}", text);
        }
    }
}
