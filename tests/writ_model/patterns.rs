//! Every short pattern over two letters, and which of all short names each matches.

use openthymos::{contract::ToolName, writ::ToolPattern};

/// Names of up to so many letters: longer than any pattern, so that they tell patterns apart.
const LONGEST_NAME: usize = 6;

pub struct Patterns {
    names: Vec<ToolName>,
    patterns: Vec<ToolPattern>,
    /// For each pattern, the names that it matches by the model.
    matched: Vec<Vec<u64>>,
}

impl Patterns {
    pub fn new() -> Self {
        let names: Vec<_> = (1..=LONGEST_NAME).flat_map(|length| words(b"abc", length)).collect();
        let texts = (1..=3).flat_map(|length| words(b"ab?*", length)).filter(|text| !text.contains("**"));
        let patterns: Vec<_> = texts.map(|text| ToolPattern::new(text).unwrap()).collect();
        let matched = patterns.iter().map(|pattern| matched(pattern, &names)).collect();
        Self { names: names.into_iter().map(|name| ToolName::new(name).unwrap()).collect(), patterns, matched }
    }

    pub fn all(&self) -> &[ToolPattern] {
        &self.patterns
    }

    pub fn names(&self) -> &[ToolName] {
        &self.names
    }

    fn matched(&self, pattern: &ToolPattern) -> &[u64] {
        &self.matched[self.patterns.iter().position(|known| known == pattern).unwrap()]
    }

    /// Whether every short name that `narrow` matches `wide` matches too.
    pub fn is_subset(&self, narrow: &ToolPattern, wide: &ToolPattern) -> bool {
        self.matched(narrow).iter().zip(self.matched(wide)).all(|(narrow, wide)| narrow & !wide == 0)
    }

    pub fn matches(&self, pattern: &ToolPattern, name: &ToolName) -> bool {
        let at = self.names.iter().position(|known| known == name).unwrap();
        self.matched(pattern)[at / 64] >> (at % 64) & 1 == 1
    }
}

fn matched(pattern: &ToolPattern, names: &[String]) -> Vec<u64> {
    let mut bits = vec![0; names.len().div_ceil(64)];
    for (at, name) in names.iter().enumerate() {
        bits[at / 64] |= u64::from(fits(pattern.as_str().as_bytes(), name.as_bytes())) << (at % 64);
    }
    bits
}

/// What a pattern means.
pub fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|taken| fits(rest, &name[taken..])),
        ([symbol, rest @ ..], [letter, name @ ..]) => (*symbol == b'?' || symbol == letter) && fits(rest, name),
        _ => false,
    }
}

fn words(letters: &[u8], length: usize) -> Vec<String> {
    (0..letters.len().pow(length as u32))
        .map(|number| {
            (0..length).map(|at| char::from(letters[number / letters.len().pow(at as u32) % letters.len()])).collect()
        })
        .collect()
}

#[test]
fn a_pattern_matches_what_it_means_and_covers_soundly() {
    let patterns = Patterns::new();
    for pattern in patterns.all() {
        for name in patterns.names() {
            assert_eq!(pattern.matches(name), patterns.matches(pattern, name), "{pattern} {name}");
        }
    }
    let mut incomplete = 0;
    for wide in patterns.all() {
        for narrow in patterns.all() {
            let subset = patterns.is_subset(narrow, wide);
            assert!(!wide.covers(narrow) || subset, "{wide} covers {narrow}");
            // A name is covered exactly when it is matched.
            let exact = !narrow.as_str().contains(['*', '?']);
            assert!(!exact || wide.covers(narrow) == subset, "{wide} {narrow}");
            incomplete += u32::from(subset && !wide.covers(narrow));
        }
    }
    assert!(incomplete < 150, "{incomplete} subsets are not seen");
}
