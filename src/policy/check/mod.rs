//! Refuses rules that cannot do what they say, before anything is decided by them.

mod constraint;
mod domain;
mod refute;

use std::collections::HashSet;

use super::{
    PolicySet, Rule,
    field::{Field, Source},
    set::Compiled,
};
use crate::{
    contract::{Contract, ContractSet},
    predicate::Predicate,
};
use domain::View;
use refute::{Blame, refute};

/// A rule that cannot do what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bundle `{bundle}`, rule `{rule}` at `{pointer}`: {reason}")]
pub struct RuleFault {
    /// The bundle's name.
    pub bundle: String,
    /// The rule's name.
    pub rule: String,
    /// JSON pointer (RFC 6901) into the bundle.
    pub pointer: String,
    /// What is wrong.
    pub reason: String,
}

impl PolicySet {
    /// Checks the rules against the tools that they will judge.
    ///
    /// Refused are rules without a name or with another's, rules that read fields which do not exist, and rules whose
    /// condition can never be true on any of these tools: a tool or argument that does not exist, a comparison with a
    /// value of a type that the argument never has, conditions that contradict each other. A rule that could be true
    /// on some call with arguments that the tools declare is never refused, nor is one for the only reason that it
    /// guards against tools and values which are not there yet. Without any tools, only what is wrong whatever the
    /// tools is refused.
    ///
    /// # Errors
    /// Every faulty rule, with its first fault.
    pub fn check(&self, contracts: &ContractSet) -> Result<(), Vec<RuleFault>> {
        let contracts: Vec<&Contract> = contracts.iter().map(|contract| &**contract).collect();
        self.check_each(&contracts)
    }

    /// Checks the rules as [`check`](Self::check) does, against contracts of which several may have one name: all that a ledger
    /// has.
    ///
    /// # Errors
    /// Every faulty rule, with its first fault.
    pub fn check_each(&self, contracts: &[&Contract]) -> Result<(), Vec<RuleFault>> {
        let mut names = HashSet::new();
        let mut faults = Vec::new();
        for compiled in &self.0.rules {
            let Some((bundle, rule)) = self.0.find(compiled) else { continue };
            let at = format!("/rules/{}", compiled.rule);
            let blame = if rule.name.is_empty() {
                Some(Blame { pointer: format!("{at}/name"), reason: "the rule has no name".into() })
            } else if !names.insert((compiled.bundle, &rule.name)) {
                Some(Blame { pointer: format!("{at}/name"), reason: "another rule of the bundle has this name".into() })
            } else {
                self.judge(compiled, &format!("{at}/when"), contracts)
            };
            faults.extend(blame.map(|Blame { pointer, reason }| {
                let Rule { name, .. } = rule;
                RuleFault { bundle: bundle.name.clone(), rule: name.clone(), pointer, reason }
            }));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Why the rule is refused, if it is.
    fn judge<'a>(&'a self, compiled: &Compiled, at: &str, tools: &[&'a Contract]) -> Option<Blame> {
        let refuted = |view: &View<'_>| refute(&compiled.condition, true, at, view);
        let blame = meaningless(&compiled.condition, at).or_else(|| refuted(&View::anything()));
        if blame.is_some() || tools.is_empty() {
            return blame;
        }
        if let Some(blame) = refuted(&View::tools(tools.to_vec())) {
            return Some(blame);
        }
        // More is known of a tool with each view, so the view in which the last tool drops out tells what is wrong.
        let views: [&dyn Fn(&'a Contract) -> View<'a>; 3] =
            [&|tool| View::tools(vec![tool]), &|tool| View::arguments(tool, &self.0.arguments), &|tool| {
                View::types(tool, &self.0.arguments)
            }];
        let mut left = tools.to_vec();
        for view in views {
            let before = left.len();
            let mut first = None;
            left.retain(|tool| match refuted(&view(tool)) {
                None => true,
                Some(blame) => {
                    first.get_or_insert(blame);
                    false
                }
            });
            if left.is_empty() {
                return first.map(|mut blame| {
                    if before > 1 {
                        blame.reason = format!("true for none of {before} tools: {}", blame.reason);
                    }
                    blame
                });
            }
        }
        None
    }
}

/// The first field that does not exist.
fn meaningless(condition: &Predicate<Field>, at: &str) -> Option<Blame> {
    match condition {
        Predicate::All(members) => each(members, at, "all").find_map(|(member, at)| meaningless(member, &at)),
        Predicate::Any(members) => each(members, at, "any").find_map(|(member, at)| meaningless(member, &at)),
        Predicate::Not(member) => meaningless(member, &format!("{at}/not")),
        Predicate::Leaf(leaf) => match &leaf.field.source {
            Source::Nothing(reason) => Some(Blame { pointer: format!("{at}/field"), reason: reason.clone() }),
            _ => None,
        },
    }
}

/// The members of an `all` or `any`, with their pointers.
fn each<'a, T>(members: &'a [T], at: &str, joint: &str) -> impl Iterator<Item = (&'a T, String)> {
    members.iter().enumerate().map(move |(index, member)| (member, format!("{at}/{joint}/{index}")))
}
