//! Values that are given to a name: `key = value`, `"key": "value"` at any depth of escaping, `--key value`.

use std::ops::Range;

use regex::Regex;

use super::{
    names::{Naming, naming},
    strength::{is_code, is_stand_in, is_strong},
};

/// How much of an unquoted value is looked at to judge it.
const JUDGED: usize = 64;

/// The most characters of a quoted value.
const MAX_QUOTED: usize = 16_384;

/// `regex` has to find the name, as group `name`, and all up to the value.
pub(super) fn find(regex: &Regex, text: &str, entropy: f64, found: &mut Vec<Range<usize>>) {
    if !may_assign(text) {
        return;
    }
    let mut locations = regex.capture_locations();
    let mut at = 0;
    while let Some(matched) = regex.captures_read_at(&mut locations, text, at) {
        at = matched.end();
        let Some((start, end)) = locations.get(1) else { continue };
        let Some(naming) = text.get(start..end).and_then(naming) else { continue };
        let Some(secret) = value(text, start, at, naming, entropy) else { continue };
        at = secret.end;
        found.push(secret);
    }
}

/// Whether a text has what stands between a name and its value: names alone are in most texts.
fn may_assign(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b':' | b'=' | b' ' | b'\t'))
}

/// The value at `at`, where it is a secret.
fn value(text: &str, name: usize, at: usize, naming: Naming, entropy: f64) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    let opening = rest.len() - rest.trim_start_matches('\\').len();
    let quote = rest.get(opening..)?.chars().next().filter(|char| matches!(char, '"' | '\'' | '`'));
    let Some(quote) = quote else {
        let end = |text: &str| text.find(ends_unquoted).unwrap_or(text.len());
        let judged = rest.char_indices().nth(JUDGED).map_or(rest, |(end, _)| rest.get(..end).unwrap_or_default());
        let judged = judged.get(..end(judged))?;
        if !is_strong(judged, entropy) || is_stand_in(judged) || is_code(judged) {
            return None;
        }
        let length = end(rest);
        // What goes on as a call or an index is code.
        let code = rest.get(length..).is_some_and(|after| after.starts_with(['(', '[', '{']));
        return (!code).then_some(at..at + length);
    };
    let start = at + opening + 1;
    let length = closing(text.get(start..)?, quote, opening)?;
    let value = text.get(start..start + length)?;
    // A quoted name makes it a member of an object; elsewhere quotes hold prose too.
    let member = naming == Naming::Whole && text.get(..name).is_some_and(|before| before.ends_with(['"', '\'']));
    let secret = (member || is_strong(value, entropy)) && !is_stand_in(value);
    secret.then_some(start..start + length)
}

/// What ends a value without quotes.
fn ends_unquoted(char: char) -> bool {
    char.is_whitespace()
        || matches!(
            char,
            '"' | '\'' | '`' | ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '&' | '|' | '\\'
        )
}

/// How long a quoted value is whose opening quote is escaped by `escapes` backslashes.
///
/// Each level of escaping doubles the backslashes and adds one, so that quotes of the value itself have more of them.
fn closing(text: &str, quote: char, escapes: usize) -> Option<usize> {
    let mut backslashes = 0;
    for (at, char) in text.char_indices().take(MAX_QUOTED) {
        match char {
            '\\' => backslashes += 1,
            '\n' if escapes == 0 => return None,
            char if char == quote && backslashes % (2 * (escapes + 1)) == escapes => return Some(at - escapes),
            _ => backslashes = 0,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{rule::Shape, table};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_stands_between_a_name_and_a_value_is_in_every_match(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "--", "-", "api", "key", "password", "db_passwd", "SECRET", "token", "authorization", ":", "=", "=>", ":=",
                    "==", " ", "\t", "\n", "\r", "\u{a0}", "\\", "\"", "'", "`", "]", "_", ".", "x1",
                ]),
                0..8,
            ),
        ) {
            let text = parts.concat();
            for rule in table::rules().into_iter().filter(|rule| matches!(rule.shape, Shape::Assignment(..))) {
                prop_assert!(may_assign(&text) || !rule.shape.regex().is_match(&text), "{}", text);
            }
        }
    }

    #[test]
    fn a_quoted_value_ends_where_its_level_of_escaping_ends() {
        assert_eq!(closing(r#"ab\"c" rest"#, '"', 0), Some(5));
        assert_eq!(closing(r#"ab\\" rest"#, '"', 0), Some(4));
        assert_eq!(closing(r#"ab\" rest"#, '"', 1), Some(2));
        assert_eq!(closing(r#"a\\\"b\" rest"#, '"', 1), Some(6));
        assert_eq!(closing("no end", '"', 0), None);
    }
}
