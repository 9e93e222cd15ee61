//! Just enough of Rust's lexer to see paths: comments, strings and lifetimes disappear.

/// An identifier, `::`, or one other character. Literals are the empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub line: usize,
    pub text: &'a str,
}

impl Token<'_> {
    pub fn is_name(&self) -> bool {
        self.text.starts_with(is_name_char)
    }
}

pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let (length, kept) = token(rest, first);
        let (text, tail) = rest.split_at(length.min(rest.len()));
        match kept {
            Kept::Text => found.push(Token { line, text: text.strip_prefix("r#").unwrap_or(text) }),
            Kept::Literal => found.push(Token { line, text: "" }),
            Kept::Nothing => {}
        }
        line += text.matches('\n').count();
        rest = tail;
    }
    found
}

enum Kept {
    Text,
    Literal,
    Nothing,
}

/// The length in bytes of the token at the start of `rest`.
fn token(rest: &str, first: char) -> (usize, Kept) {
    if first.is_whitespace() {
        (first.len_utf8(), Kept::Nothing)
    } else if rest.starts_with("//") {
        (rest.find('\n').unwrap_or(rest.len()), Kept::Nothing)
    } else if rest.starts_with("/*") {
        (block_comment(rest), Kept::Nothing)
    } else if let Some(length) = string(rest) {
        (length, Kept::Literal)
    } else if let Some(quoted) = rest.strip_prefix('\'') {
        match character(quoted) {
            Some(length) => (1 + length, Kept::Literal),
            None => (1 + name_length(quoted), Kept::Nothing),
        }
    } else if first.is_ascii_digit() {
        (name_length(rest), Kept::Literal)
    } else if let Some(raw) = rest.strip_prefix("r#").filter(|raw| raw.starts_with(is_name_char)) {
        (2 + name_length(raw), Kept::Text)
    } else if is_name_char(first) {
        (name_length(rest), Kept::Text)
    } else if rest.starts_with("::") {
        (2, Kept::Text)
    } else {
        (first.len_utf8(), Kept::Text)
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn name_length(rest: &str) -> usize {
    rest.find(|c| !is_name_char(c)).unwrap_or(rest.len())
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        let step = match tail {
            _ if tail.starts_with("/*") => (2, 1),
            _ if tail.starts_with("*/") => (2, -1),
            _ => (tail.chars().next().map_or(1, char::len_utf8), 0),
        };
        at += step.0;
        depth += step.1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a string literal of any kind, prefix included. Byte characters are left to `b` and `'…'`.
fn string(rest: &str) -> Option<usize> {
    let bare = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let prefix = rest.len() - bare.len();
    if let Some(quoted) = bare.strip_prefix('"') {
        return Some(prefix + 1 + escaped(quoted, '"').unwrap_or(quoted.len()));
    }
    let hashes_on = bare.strip_prefix('r')?;
    let quoted = hashes_on.trim_start_matches('#');
    let hashes = hashes_on.len() - quoted.len();
    let body = quoted.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&close).map_or(body.len(), |at| at + close.len());
    Some(prefix + 1 + hashes + 1 + length)
}

/// The length of a character literal after its opening quote; `None` for a lifetime.
fn character(quoted: &str) -> Option<usize> {
    let mut chars = quoted.chars();
    match chars.next()? {
        '\\' => escaped(quoted, '\''),
        only => (chars.next() == Some('\'')).then_some(only.len_utf8() + 1),
    }
}

/// How far it is to just behind the closing quote.
fn escaped(quoted: &str, close: char) -> Option<usize> {
    let mut skip = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if skip => skip = false,
            '\\' => skip = true,
            _ if c == close => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::tokens;

    fn texts(source: &str) -> String {
        tokens(source)
            .iter()
            .map(|token| if token.text.is_empty() { "_" } else { token.text })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn comments_and_literals_hide_what_they_contain() {
        for (source, expected) in [
            ("a // crate::x\nb", "a b"),
            ("a /* crate::x /* nested */ crate::y */ b", "a b"),
            ("/// see [`crate::x`]\n//! crate::y\na", "a"),
            (r#"f("crate::x", "\" crate::y")"#, "f ( _ , _ )"),
            (r##"f(r#"say "crate::x""#, br"\", c"crate::y")"##, "f ( _ , _ , _ )"),
            (r"f('\'', '\\', '{', 'é', b'\'', b'}') crate::x", "f ( _ , _ , _ , _ , b _ , b _ ) crate :: x"),
            ("fn f<'a>(x: &'a str, y: &'static u8) crate::x", "fn f < > ( x : & str , y : & u8 ) crate :: x"),
            ("r#type::r#crate 0xff_u8 1.5e3", "type :: crate _ _ . _"),
            ("$crate::x", "$ crate :: x"),
        ] {
            assert_eq!(texts(source), expected, "{source}");
        }
    }

    #[test]
    fn lines_are_counted_through_literals_and_comments() {
        let found = tokens("/* 1\n2 */ a \"\n3\" b\n\nr\"\n\" c");
        let lines: Vec<_> =
            found.iter().filter(|token| token.is_name()).map(|token| (token.text, token.line)).collect();
        assert_eq!(lines, [("a", 2), ("b", 3), ("c", 6)]);
    }
}
