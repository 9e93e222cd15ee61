use super::{CanonError, MAX_INTEGER};

const LIMIT: f64 = MAX_INTEGER as f64;

/// Writes an integer, refusing what a double cannot carry exactly.
pub(super) fn integer(out: &mut Vec<u8>, value: i128) -> Result<(), CanonError> {
    let range = || CanonError::NumberRange { number: value.to_string() };
    let value = i64::try_from(value).ok().filter(|value| value.unsigned_abs() <= MAX_INTEGER).ok_or_else(range)?;
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    Ok(())
}

/// Writes a double as ECMAScript's `Number::toString` does (RFC 8785 § 3.2.2.3).
///
/// Doubles beyond ±(2^53 − 1) are all integers that a reader may have rounded, so they are refused too.
pub(super) fn float(out: &mut Vec<u8>, value: f64) -> Result<(), CanonError> {
    if value.is_nan() || value.abs() > LIMIT {
        return Err(CanonError::NumberRange { number: value.to_string() });
    }
    out.extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
    Ok(())
}

/// Writes a JSON number given as text.
pub(super) fn text(out: &mut Vec<u8>, text: &str) -> Result<(), CanonError> {
    match (text.parse::<i128>(), text.parse::<f64>()) {
        (Ok(value), _) => integer(out, value),
        (_, Ok(value)) => float(out, value),
        _ => Err(CanonError::NumberRange { number: text.chars().take(80).collect() }),
    }
}
