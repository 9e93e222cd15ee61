use std::{
    borrow::Cow,
    ops::Range,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use aho_corasick::{
    Anchored, Input,
    automaton::Automaton,
    dfa::{self, DFA},
};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    finding::{Finding, Findings},
    placeholder::{self, gaps},
    rule::{Rule, RuleError},
    table, value,
};
use crate::{
    canon::{CanonError, check_depth},
    crypto::Secret,
};

/// How often a text is looked through, until nothing more is found. What is still not at rest then goes as a whole.
const PASSES: usize = 8;

/// Puts placeholders in the place of secrets. Cheap to clone; clones give equal secrets equal placeholders.
#[derive(Clone)]
pub struct Redactor {
    rules: Arc<Rules>,
    tags: Arc<Tags>,
}

impl Default for Redactor {
    /// All built-in rules, under a key of its own.
    #[expect(clippy::expect_used, reason = "a test makes the table's rules")]
    fn default() -> Self {
        static BUILT_IN: LazyLock<Arc<Rules>> =
            LazyLock::new(|| Arc::new(Rules::new(table::rules()).expect("the table's rules are sound")));
        Self { rules: Arc::clone(&BUILT_IN), tags: Arc::new(Tags::draw()) }
    }
}

impl Redactor {
    /// A redactor without rules: it finds nothing by itself.
    pub fn none() -> Self {
        Self { rules: Arc::default(), tags: Arc::new(Tags::draw()) }
    }

    /// Starts from the built-in rules.
    pub fn builder() -> RedactorBuilder {
        RedactorBuilder { rules: table::rules() }
    }

    /// Redacts a text. What nothing was found in comes back as it was.
    pub fn text<'a>(&self, text: &'a str) -> (Cow<'a, str>, Findings) {
        let mut findings = Findings::default();
        let Some(mut redacted) = self.pass(text, &mut findings) else { return (Cow::Borrowed(text), findings) };
        for _ in 1..PASSES {
            match self.pass(&redacted, &mut findings) {
                Some(next) => redacted = next,
                None => return (Cow::Owned(redacted), findings),
            }
        }
        (Cow::Owned(self.hide("text", text, &mut findings)), findings)
    }

    /// Redacts all texts of a value, its keys too, and the members whose names say that they are secret.
    ///
    /// # Errors
    /// When the value is nested deeper than can be sealed; it is left as it is then.
    pub fn value(&self, value: &mut Value) -> Result<Findings, CanonError> {
        check_depth(value)?;
        let mut findings = Findings::default();
        value::redact(self, value, &mut findings);
        Ok(findings)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.list.is_empty()
    }

    /// One look at a text; `None` when nothing was found.
    fn pass(&self, text: &str, findings: &mut Findings) -> Option<String> {
        let hits = self.rules.hits(text);
        if hits.is_empty() {
            return None;
        }
        let mut found = Vec::new();
        for gap in gaps(text) {
            let Some(part) = text.get(gap.clone()) else { continue };
            let from = found.len();
            for (index, rule) in hits.iter().filter_map(|index| Some((*index, self.rules.list.get(*index)?))) {
                let mut ranges = Vec::new();
                rule.find(part, &mut ranges);
                found.extend(ranges.into_iter().map(|range| (gap.start + range.start..gap.start + range.end, index)));
            }
            found.get_mut(from..)?.sort_by_key(|(range, rule)| (range.start, std::cmp::Reverse(range.end), *rule));
        }
        if found.is_empty() {
            return None;
        }
        let mut redacted = String::with_capacity(text.len());
        let mut at = 0;
        for (range, rule) in joined(found) {
            redacted.push_str(text.get(at..range.start)?);
            let rule = &self.rules.list.get(rule)?.name;
            redacted.push_str(&self.hide_as(rule, text.get(range.clone())?, findings));
            at = range.end;
        }
        redacted.push_str(text.get(at..)?);
        Some(redacted)
    }

    /// The placeholder for a secret, which becomes a finding.
    pub(super) fn hide(&self, rule: &str, plaintext: &str, findings: &mut Findings) -> String {
        self.hide_as(&rule.into(), plaintext, findings)
    }

    fn hide_as(&self, rule: &Arc<str>, plaintext: &str, findings: &mut Findings) -> String {
        let placeholder = self.placeholder(rule, plaintext);
        let (rule, plaintext) = (Arc::clone(rule), Secret::new(plaintext));
        findings.push(Finding { rule, placeholder: placeholder.clone(), plaintext });
        placeholder
    }

    pub(super) fn placeholder(&self, rule: &str, plaintext: &str) -> String {
        placeholder::write(rule, self.tags.of(plaintext))
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} rules)", self.rules.list.len())
    }
}

/// Findings in order, where those that overlap are one, named by the first.
fn joined(found: Vec<(Range<usize>, usize)>) -> Vec<(Range<usize>, usize)> {
    let mut joined: Vec<(Range<usize>, usize)> = Vec::with_capacity(found.len());
    for (range, rule) in found {
        match joined.last_mut() {
            Some((last, _)) if range.start < last.end => last.end = last.end.max(range.end),
            _ => joined.push((range, rule)),
        }
    }
    joined
}

/// Composes the rules of a [`Redactor`].
#[derive(Debug, Clone)]
pub struct RedactorBuilder {
    rules: Vec<Rule>,
}

impl RedactorBuilder {
    /// Adds a rule. It names what it finds, where a built-in rule finds the same.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.insert(0, rule);
        self
    }

    /// Drops all rules of a name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.rules.retain(|rule| &*rule.name != name);
        self
    }

    /// Finishes the redactor.
    ///
    /// # Errors
    /// When there are more keywords than one search can hold.
    pub fn build(self) -> Result<Redactor, RuleError> {
        Ok(Redactor { rules: Arc::new(Rules::new(self.rules)?), tags: Arc::new(Tags::draw()) })
    }
}

/// Rules, and the search that says which of them are worth trying.
#[derive(Default)]
struct Rules {
    list: Vec<Rule>,
    search: Option<DFA>,
    /// By keyword: its rule, and the exact keyword where case counts.
    keywords: Vec<(usize, Option<Box<str>>)>,
}

impl Rules {
    fn new(list: Vec<Rule>) -> Result<Self, RuleError> {
        let mut keywords = Vec::new();
        for (index, rule) in list.iter().enumerate() {
            let exact = |keyword: &str| (!rule.folds()).then(|| keyword.into());
            keywords.extend(rule.keywords.iter().map(|keyword| (keyword, index, exact(keyword))));
        }
        let search = dfa::Builder::new()
            .ascii_case_insensitive(true)
            .build(keywords.iter().map(|(keyword, ..)| keyword.as_bytes()))
            .map_err(|error| RuleError { rule: "all".into(), reason: error.to_string() })?;
        let keywords = keywords.iter().map(|(_, index, exact)| (*index, exact.clone())).collect();
        Ok(Self { list, search: Some(search), keywords })
    }

    /// Which rules have a keyword in `text`.
    fn hits(&self, text: &str) -> Vec<usize> {
        let mut hits = Vec::new();
        // Most texts have none, which is known sooner than all that they have.
        let Some(search) = self.search.as_ref().filter(|search| has_any(search, text)) else { return hits };
        // Without a search there is no telling: every rule is worth trying then.
        let Ok(found) = search.try_find_overlapping_iter(Input::new(text)) else {
            return (0..self.list.len()).collect();
        };
        for (found, (rule, exact)) in
            found.filter_map(|found| Some((found, self.keywords.get(found.pattern().as_usize())?)))
        {
            let cased = |exact: &str| text.as_bytes().get(found.range()) == Some(exact.as_bytes());
            if exact.as_deref().is_none_or(cased) && !hits.contains(rule) {
                hits.push(*rule);
            }
        }
        hits
    }
}

/// Whether a text has any of the keywords of a search. Most texts are short: what the search would do beside is longer.
fn has_any(search: &DFA, text: &str) -> bool {
    let Ok(mut state) = search.start_state(Anchored::No) else { return true };
    text.bytes().any(|byte| {
        state = search.next_state(Anchored::No, state, byte);
        search.is_match(state)
    })
}

/// Gives secrets their tags.
enum Tags {
    /// A hash under a random key that never leaves the process.
    Keyed(Zeroizing<[u8; 32]>),
    /// No randomness could be had: tags are numbers, which tell nothing either.
    Counted(AtomicU64),
}

impl Tags {
    // Not drawn from the host's entropy: a seeded one would let a reader of the ledger check guesses.
    fn draw() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        match getrandom::fill(key.as_mut_slice()) {
            Ok(()) => Self::Keyed(key),
            Err(_) => Self::Counted(AtomicU64::new(1)),
        }
    }

    fn of(&self, plaintext: &str) -> [u8; 8] {
        let mut tag = [0; 8];
        match self {
            Self::Keyed(key) => {
                let mut hasher = blake3::Hasher::new_keyed(key);
                hasher.update(plaintext.as_bytes()).finalize_xof().fill(&mut tag);
            }
            Self::Counted(count) => tag = count.fetch_add(1, Ordering::SeqCst).to_be_bytes(),
        }
        tag
    }
}
