//! What text looks like on a terminal, and what of foreign text may reach one.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const WARN: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const HINT: Style = AnsiColor::Cyan.on_default();

/// How many characters of one string inside of arguments or output are shown.
const STRING: usize = 48;

/// How a line of a unified difference looks.
pub(super) fn of_change(line: &str) -> Style {
    match line.as_bytes().first() {
        Some(b'+') => GOOD,
        Some(b'-') => BAD,
        _ => DIM,
    }
}

/// Text in a style.
pub(super) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Foreign text for one line: control characters, those that nobody sees, and those that turn the direction of text, are escaped.
pub(super) fn plain(text: &str) -> String {
    escape(text, |_| false)
}

/// Foreign text of several lines.
pub(super) fn prose(text: &str) -> String {
    escape(&text.replace("\r\n", "\n"), |char| matches!(char, '\n' | '\t'))
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            _ if keep(char) || !is_control(char) => escaped.push(char),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            '\r' => escaped.push_str("\\r"),
            _ => escaped.extend(char.escape_unicode()),
        }
    }
    escaped
}

fn is_control(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(char, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// JSON on one line. What a terminal would obey is escaped the way JSON does.
pub(super) fn json(value: &Value) -> String {
    let text = value.to_string();
    if !text.chars().any(is_control) {
        return text;
    }
    // Outside of strings JSON on one line has no such characters, and inside an escape means the same.
    let escape = |char: char| {
        if is_control(char) { format!("\\u{:04x}", u32::from(char)) } else { char.into() }
    };
    text.chars().map(escape).collect()
}

/// JSON on one line of at most `width` columns, long strings cut first.
pub(super) fn brief(value: &Value, width: usize) -> String {
    let whole = json(value);
    if whole.width() <= width {
        return whole;
    }
    fit(&json(&cut(value)), width)
}

fn cut(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(fit(text, STRING)),
        Value::Array(members) => Value::Array(members.iter().map(cut).collect()),
        Value::Object(members) => Value::Object(members.iter().map(|(key, value)| (key.clone(), cut(value))).collect()),
        other => other.clone(),
    }
}

/// Text of at most `width` columns, cut at a character's boundary.
pub(super) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut cut, mut used) = (String::new(), 0);
    for char in text.chars() {
        used += char.width().unwrap_or(0);
        if used >= width {
            break;
        }
        cut.push(char);
    }
    cut.push('…');
    cut
}

/// Text filled up with spaces to `width` columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// A number of things in words.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_that_a_terminal_obeys_passes() {
        let hostile = "a\u{1b}[2Jb\u{9b}1mc\rd\u{202e}e\u{7f}\nf";
        assert_eq!(plain(hostile), "a\\u{1b}[2Jb\\u{9b}1mc\\rd\\u{202e}e\\u{7f}\\nf");
        assert_eq!(prose("a\nb\u{1b}"), "a\nb\\u{1b}");
        let value = json!({ hostile: [hostile] });
        let told = json(&value);
        assert!(!told.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7f}', '\r', '\n']), "{told}");
        assert_eq!(serde_json::from_str::<Value>(&json(&value)).unwrap(), value);
    }

    #[test]
    fn text_is_cut_between_characters_and_by_columns() {
        assert_eq!(fit("äöü", 3), "äöü");
        assert_eq!(fit("äöüß", 3), "äö…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert!(brief(&json!({"content": "ß".repeat(500), "path": "a"}), 80).contains("\"path\":\"a\""));
    }
}
