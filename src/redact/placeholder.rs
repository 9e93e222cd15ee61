use std::ops::Range;

/// How every placeholder begins.
pub(super) const OPENING: &str = "[redacted:";

/// The most bytes that a rule's name may have.
pub(super) const MAX_NAME: usize = 64;

const HEX_DIGITS: usize = 16;

/// A placeholder for a secret that `rule` found.
pub(super) fn write(rule: &str, tag: [u8; HEX_DIGITS / 2]) -> String {
    format!("{OPENING}{rule}:{:016x}]", u64::from_be_bytes(tag))
}

/// Whether text can name a rule.
pub(super) fn is_rule_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits)
}

/// Where placeholders stand in a text.
pub fn placeholders(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + opening(text.as_bytes().get(at..)?)?;
            at = start + OPENING.len();
            if let Some(length) = text.get(at..).and_then(rest) {
                at += length;
                return Some(start..at);
            }
        }
    })
}

/// Where a placeholder may begin first. Most texts have no bracket, which takes less to see than to look for the whole.
fn opening(text: &[u8]) -> Option<usize> {
    let begins = |at: &usize| text.get(*at..).is_some_and(|rest| rest.starts_with(OPENING.as_bytes()));
    memchr::memchr_iter(b'[', text).find(begins)
}

/// How long the rest of a placeholder is, where `text` begins with one.
fn rest(text: &str) -> Option<usize> {
    let (name, after) = text.split_at_checked(text.bytes().take(MAX_NAME + 1).position(|byte| byte == b':')?)?;
    let digits = after.get(1..=HEX_DIGITS)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let closed = after.as_bytes().get(HEX_DIGITS + 1) == Some(&b']');
    (is_rule_name(name) && hex && closed).then_some(name.len() + HEX_DIGITS + 2)
}

/// The parts of a text that are no placeholder, by their place in it.
pub(super) fn gaps(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    let ends = placeholders(text).map(Some).chain(std::iter::once(None));
    ends.map(move |found| {
        let gap = at..found.as_ref().map_or(text.len(), |found| found.start);
        at = found.map_or(text.len(), |found| found.end);
        gap
    })
}

/// Whether a text is nothing but placeholders and space.
pub(super) fn is_all(text: &str) -> bool {
    text.starts_with(OPENING) && gaps(text).all(|gap| text.get(gap).is_none_or(|gap| gap.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_found_and_nothing_that_resembles_them() {
        let real = write("github-token", [1, 2, 3, 4, 5, 6, 7, 0xef]);
        assert_eq!(real, "[redacted:github-token:01020304050607ef]");
        let text = format!("é{real}{real}[redacted:[redacted:x:00] [redacted:Ab:0000000000000000]");
        let found: Vec<_> = placeholders(&text).map(|range| &text[range]).collect();
        assert_eq!(found, [real.as_str(), real.as_str()]);
        assert!(is_all(&format!("{real} {real}")) && !is_all(&text) && !is_all(""));
        let gaps: Vec<_> = gaps(&text).map(|range| &text[range]).collect();
        assert_eq!(gaps[..2], ["é", ""]);
    }
}
