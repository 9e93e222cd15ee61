use std::{
    borrow::Cow,
    ops::Range,
    sync::{Arc, OnceLock},
};

use regex::Regex;

use super::{
    assignment,
    placeholder::{MAX_NAME, is_rule_name},
    strength::{is_stand_in, is_strong},
};

/// What finds one kind of secret.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(super) name: Arc<str>,
    pub(super) keywords: Vec<Cow<'static, str>>,
    pub(super) entropy: Option<f64>,
    pub(super) shape: Shape,
}

/// How a rule goes about it.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A regular expression; its group `secret`, where it has one, is the secret.
    Pattern(Cow<'static, str>, OnceLock<Regex>),
    /// A value that is given to a name. The expression finds the name and what stands between it and the value.
    Assignment(Cow<'static, str>, OnceLock<Regex>),
}

/// A rule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}`: {reason}")]
pub struct RuleError {
    /// The rule's name.
    pub rule: String,
    /// What is wrong.
    pub reason: String,
}

impl Rule {
    /// A rule: `pattern` is tried on text that holds one of `keywords`. With a group named `secret`, only that group is
    /// the secret; otherwise all of the match. A pattern that begins with `(?i)` has keywords of either case.
    ///
    /// # Errors
    /// When the name is not 1 to 64 of `a-z 0-9 -`, no keyword or an empty one is given, or the pattern is no regular
    /// expression.
    pub fn new(
        name: &str,
        keywords: impl IntoIterator<Item = impl Into<String>>,
        pattern: &str,
    ) -> Result<Self, RuleError> {
        let error = |reason: String| RuleError { rule: name.chars().take(80).collect(), reason };
        let keywords: Vec<Cow<'static, str>> = keywords.into_iter().map(|keyword| Cow::Owned(keyword.into())).collect();
        if !is_rule_name(name) {
            return Err(error(format!("expected 1 to {MAX_NAME} of a-z 0-9 - as its name")));
        }
        if keywords.is_empty() || keywords.iter().any(|keyword| keyword.is_empty()) {
            return Err(error("expected keywords, none of them empty".into()));
        }
        let regex = Regex::new(pattern).map_err(|fault| error(fault.to_string()))?;
        let shape = Shape::Pattern(Cow::Owned(pattern.into()), OnceLock::from(regex));
        Ok(Self { name: name.into(), keywords, entropy: None, shape })
    }

    /// Takes only what has at least this many bits of entropy a character, with digits or capitals among its letters.
    #[must_use]
    pub fn at_least(mut self, bits: f64) -> Self {
        self.entropy = Some(bits);
        self
    }

    /// Whether keywords count in either case.
    pub(super) fn folds(&self) -> bool {
        self.shape.pattern().starts_with("(?i)")
    }

    /// Adds where secrets stand in `text`.
    pub(super) fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let regex = self.shape.regex();
        if let Shape::Assignment(..) = self.shape {
            return assignment::find(regex, text, self.entropy.unwrap_or_default(), found);
        }
        // Keywords stand in many texts without a secret: groups are looked for only where there is a match.
        if !regex.is_match(text) {
            return;
        }
        for captures in regex.captures_iter(text) {
            let Some(secret) = captures.name("secret").or_else(|| captures.get(0)) else { continue };
            let strong = self.entropy.is_none_or(|entropy| is_strong(secret.as_str(), entropy));
            if strong && !secret.is_empty() && !is_stand_in(secret.as_str()) {
                found.push(secret.range());
            }
        }
    }
}

impl Shape {
    fn pattern(&self) -> &str {
        match self {
            Self::Pattern(pattern, _) | Self::Assignment(pattern, _) => pattern,
        }
    }

    /// The expression, compiled when it is first needed.
    #[expect(clippy::expect_used, reason = "patterns are compiled when a rule is made, or by a test of the table")]
    pub(super) fn regex(&self) -> &Regex {
        match self {
            Self::Pattern(pattern, regex) | Self::Assignment(pattern, regex) => {
                regex.get_or_init(|| Regex::new(pattern).expect("the pattern was compiled before"))
            }
        }
    }
}
