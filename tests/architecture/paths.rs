//! The paths of one file that start at the crate's root, whatever way they are written.

use crate::tokens::Token;

/// A path from the crate's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    pub line: usize,
    /// Its segments; empty for the root itself.
    pub segments: Vec<&'a str>,
    /// The name that it gets here: an alias, or its last segment; `None` for a glob.
    pub name: Option<&'a str>,
    /// Whether it stands in a `use` that others can see.
    pub exported: bool,
}

/// What a file holds when its test-only items are taken out.
pub struct Code<'a> {
    pub tokens: Vec<Token<'a>>,
    /// Modules in files of their own that only tests compile.
    pub test_files: Vec<&'a str>,
}

/// Takes out the items under `#[cfg(test)]` (and `cfg(all(test, …))`).
pub fn without_tests<'a>(all: &[Token<'a>]) -> Code<'a> {
    let mut code = Code { tokens: Vec::new(), test_files: Vec::new() };
    let mut at = 0;
    while let Some(token) = all.get(at) {
        if let Some(end) = attribute(all, at).filter(|end| is_test_only(&all[at..*end])) {
            if all[at + 1].text == "!" {
                return Code { tokens: Vec::new(), test_files: code.test_files };
            }
            let (item, next) = item(all, end);
            if let [.., keyword, name, stop] = item
                && (keyword.text, stop.text) == ("mod", ";")
            {
                code.test_files.push(name.text);
            }
            at = next;
        } else {
            code.tokens.push(*token);
            at += 1;
        }
    }
    code
}

/// Where the attribute that starts here ends.
fn attribute(all: &[Token<'_>], at: usize) -> Option<usize> {
    let open = if text(all, at + 1) == "!" { at + 2 } else { at + 1 };
    (text(all, at) == "#" && text(all, open) == "[").then(|| closing(all, open) + 1)
}

fn is_test_only(attribute: &[Token<'_>]) -> bool {
    let names: Vec<_> = attribute.iter().filter(|token| token.is_name()).map(|token| token.text).collect();
    match names.as_slice() {
        ["cfg", "test"] => true,
        ["cfg", "all", rest @ ..] => rest.contains(&"test") && !rest.contains(&"not") && !rest.contains(&"any"),
        _ => false,
    }
}

/// The item that starts here, without further attributes, and where the next one starts.
fn item<'s, 'a>(all: &'s [Token<'a>], mut start: usize) -> (&'s [Token<'a>], usize) {
    while let Some(end) = attribute(all, start) {
        start = end;
    }
    let mut at = start;
    let mut is_use = false;
    loop {
        match text(all, at) {
            "use" => is_use = true,
            "{" if !is_use => {
                at = closing(all, at);
                break;
            }
            "(" | "[" | "{" => at = closing(all, at),
            ";" => break,
            _ if at >= all.len() => break,
            _ => {}
        }
        at += 1;
    }
    let end = (at + 1).min(all.len());
    (&all[start.min(end)..end], end)
}

/// Where the bracket that opens here closes.
fn closing(all: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in all.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    all.len()
}

fn text<'a>(all: &[Token<'a>], at: usize) -> &'a str {
    all.get(at).map_or("", |token| token.text)
}

/// The paths of a file whose module is `module` (`["writ", "chain"]` for `src/writ/chain.rs`).
pub fn paths<'a>(all: &[Token<'a>], module: &[&'a str]) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    let mut depth = 0;
    let mut scope = module.to_vec();
    let mut inner: Vec<usize> = Vec::new();
    let mut exported = false;
    let mut at = 0;
    while let Some(token) = all.get(at) {
        let next = text(all, at + 1);
        match token.text {
            "mod" if text(all, at + 2) == "{" => {
                scope.push(next);
                inner.push(depth);
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inner.last() == Some(&depth) {
                    inner.pop();
                    scope.pop();
                }
            }
            "use" if next != "<" => {
                let before = at.checked_sub(1).map_or("", |at| text(all, at));
                exported = before == "pub" || before == ")";
                if module.is_empty() && depth == 0 && !matches!(next, "crate" | "super") {
                    at = tree(all, at + 1, Vec::new(), exported, &mut found);
                    continue;
                }
            }
            ";" => exported = false,
            "crate" if next == "self" => found.push(Found { line: token.line, segments: vec![], name: None, exported }),
            "crate" | "super" if matches!(next, "::" | "as") && !is_visibility(all, at) => {
                at = tree(all, at, scope.clone(), exported, &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// `pub(in path)` can only name a module that encloses it.
fn is_visibility(all: &[Token<'_>], at: usize) -> bool {
    at >= 2 && text(all, at - 1) == "in" && text(all, at - 2) == "("
}

/// Reads one path, or one tree of a `use`, below `prefix`; returns where it ends.
fn tree<'a>(
    all: &[Token<'a>],
    mut at: usize,
    mut prefix: Vec<&'a str>,
    exported: bool,
    found: &mut Vec<Found<'a>>,
) -> usize {
    let line = all.get(at).map_or(0, |token| token.line);
    loop {
        match text(all, at) {
            "{" => {
                let end = closing(all, at);
                at += 1;
                while at < end {
                    at = tree(all, at, prefix.clone(), exported, found);
                    at += usize::from(text(all, at) == ",");
                }
                return end + 1;
            }
            "*" => {
                found.push(Found { line, segments: prefix, name: None, exported });
                return at + 1;
            }
            "crate" => prefix.clear(),
            "super" => drop(prefix.pop()),
            "self" => {}
            "" => return at + 1,
            segment => prefix.push(segment),
        }
        let goes_on = all.get(at + 2).is_some_and(|token| token.is_name() || matches!(token.text, "{" | "*"));
        if text(all, at + 1) == "::" && goes_on {
            at += 2;
        } else {
            let alias = (text(all, at + 1) == "as").then(|| text(all, at + 2));
            let name = alias.or(prefix.last().copied());
            found.push(Found { line, segments: prefix, name, exported });
            return if alias.is_some() { at + 3 } else { at + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{paths, without_tests};
    use crate::tokens::tokens;

    fn found(module: &[&str], source: &str) -> Vec<String> {
        let code = without_tests(&tokens(source));
        paths(&code.tokens, module).iter().map(|found| found.segments.join("::")).collect()
    }

    #[test]
    fn every_way_to_write_a_path_is_seen() {
        for (source, expected) in [
            ("use crate::canon::Hash;", &["canon::Hash"][..]),
            (
                "use crate::{canon::{A, b::{C, D as E}}, writ::*, ledger};",
                &["canon::A", "canon::b::C", "canon::b::D", "writ", "ledger"],
            ),
            ("use {crate::canon::A, std::fmt, super::super::tool::B};", &["canon::A", "tool::B"]),
            (
                "fn f() { let x = crate::tool::call::<crate::host::T>(crate::canon::y); }",
                &["tool::call", "host::T", "canon::y"],
            ),
            ("use super::Excess; use super::super::ledger::Entry;", &["writ::Excess", "ledger::Entry"]),
            ("use self::super::super::tool;", &["tool"]),
            ("use super::{super::{tool::A, canon}, Scope};", &["tool::A", "canon", "writ::Scope"]),
            ("mod inner { use super::super::super::tool; } use super::super::host;", &["tool", "host"]),
            ("macro_rules! m { () => { $crate::canon::encode() } }", &["canon::encode"]),
            ("for x in crate::tool::all() {}", &["tool::all"]),
            ("impl crate::tool::T for X where X: crate::host::Clock {}", &["tool::T", "host::Clock"]),
            ("fn f() -> impl Fn() + use<'a> { crate::tool::x }", &["tool::x"]),
            ("use crate::\n    // why\n    tool::A;", &["tool::A"]),
            ("use crate as root;", &[""]),
            ("extern crate self as root;", &[""]),
            ("use super::super::*;", &[""]),
        ] {
            assert_eq!(found(&["writ", "chain"], source), expected, "{source}");
        }
    }

    #[test]
    fn what_only_looks_like_a_path_is_not() {
        for source in [
            r#"let x = "crate::tool::A"; // crate::tool"#,
            r##"let x = r#"" crate::tool "#;"##,
            "/* use crate::tool; /* crate::host */ */",
            "pub(crate) fn f() {} pub(in crate::tool) struct X; pub(super) struct Y;",
            "fn f(&self) { self.superb::<u8>() }",
            "#[cfg(test)]\nmod tests { use crate::tool::A; fn f() { if x { } } }",
            "#[cfg(test)] #[expect(clippy::all)] use crate::{tool::A, host};",
            "#[cfg(all(test, feature = \"redb\"))] pub(crate) fn f(x: [u8; 2]) { crate::tool::A }",
            "#[cfg(test)] mod tests;",
            "#![cfg(test)] use crate::tool;",
        ] {
            assert_eq!(found(&["writ"], source), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn what_follows_a_test_module_is_seen() {
        for source in [
            "#[cfg(test)] mod tests { } use crate::tool;",
            "#[cfg(test)] mod tests; use crate::tool;",
            "#[cfg(test)] use crate::{canon}; use crate::tool;",
            "#[cfg(not(test))] use crate::tool;",
            "#[cfg(any(test, feature = \"testing\"))] use crate::tool;",
        ] {
            assert_eq!(found(&["writ"], source), ["tool"], "{source}");
        }
    }

    #[test]
    fn exports_aliases_and_test_files_are_told() {
        let all =
            tokens("pub use crate::tool::A as B; pub(crate) use crate::host; use crate::canon; #[cfg(test)] mod t;");
        let code = without_tests(&all);
        let names: Vec<_> = paths(&code.tokens, &["writ"]).iter().map(|found| (found.name, found.exported)).collect();
        assert_eq!(names, [(Some("B"), true), (Some("host"), true), (Some("canon"), false)]);
        assert_eq!(code.test_files, ["t"]);
    }
}
