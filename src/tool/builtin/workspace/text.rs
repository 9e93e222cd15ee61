//! Cutting text where characters end.

/// The content as text; `None` for binary content: not UTF-8, or with a zero byte.
pub(super) fn as_text(content: &[u8]) -> Option<&str> {
    if content.contains(&0) { None } else { std::str::from_utf8(content).ok() }
}

/// The last place at or before `at` where a character starts, or the end.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The text between two places, each moved back to where a character starts.
pub(super) fn slice(text: &str, start: usize, end: usize) -> &str {
    text.get(floor(text, start)..floor(text, end)).unwrap_or("")
}

/// How many lines there are: line ends, and one more for text after the last.
pub(super) fn count_lines(text: &str) -> usize {
    text.lines().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_fall_between_characters() {
        let text = "aé漢😀";
        for start in 0..=text.len() + 2 {
            for end in 0..=text.len() + 2 {
                assert!(text.contains(slice(text, start, end)));
            }
        }
        assert_eq!((slice(text, 0, 2), slice(text, 0, 3), slice(text, 1, 9)), ("a", "aé", "é漢"));
        assert_eq!(slice(text, 2, 10), "é漢😀");
    }

    #[test]
    fn lines_are_counted_as_people_do() {
        for (text, lines) in [("", 0), ("a", 1), ("a\n", 1), ("a\r\nb", 2), ("\n\n", 2)] {
            assert_eq!(count_lines(text), lines, "{text:?}");
        }
    }
}
