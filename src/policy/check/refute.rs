use serde_json::Value;

use super::{
    constraint::{Literal, satisfiable},
    domain::{Domain, Types, View},
    each,
};
use crate::{
    policy::{
        field::{Field, Source, Text},
        input::applies,
    },
    predicate::{Leaf, Predicate},
};

/// Why a condition can never hold, and where.
pub(super) struct Blame {
    pub(super) pointer: String,
    pub(super) reason: String,
}

/// Shows that no call that `view` allows makes the condition `wanted`; nothing when some call may.
pub(super) fn refute(condition: &Predicate<Field>, wanted: bool, at: &str, view: &View<'_>) -> Option<Blame> {
    match (condition, wanted) {
        (Predicate::Leaf(leaf), _) => refute_leaf(leaf, wanted, at, view),
        (Predicate::Not(member), _) => refute(member, !wanted, &format!("{at}/not"), view),
        (Predicate::All(members), true) => {
            let members: Vec<_> = each(members, at, "all").collect();
            refute_every(condition, &members, wanted, at, view)
        }
        (Predicate::Any(members), false) => {
            let judged: Vec<_> = each(members, at, "any").filter(|(member, _)| judges(member, view)).collect();
            if judged.is_empty() {
                return each(members, at, "any").find_map(|(member, at)| refute(member, wanted, &at, view));
            }
            refute_every(condition, &judged, wanted, at, view)
        }
        (Predicate::All(members), false) => {
            // One member about arguments that the call lacks makes the whole `all` one.
            let mut lacking = each(members, at, "all").filter(|(member, _)| !judges(member, view));
            match lacking.next() {
                Some((member, at)) => refute(member, wanted, &at, view),
                None => refute_some(each(members, at, "all"), "all", wanted, at, view),
            }
        }
        (Predicate::Any(members), true) => refute_some(each(members, at, "any"), "any", wanted, at, view),
    }
}

/// Shows that not every member can be `wanted` at once.
fn refute_every(
    condition: &Predicate<Field>,
    members: &[(&Predicate<Field>, String)],
    wanted: bool,
    at: &str,
    view: &View<'_>,
) -> Option<Blame> {
    let alone = members.iter().find_map(|(member, at)| refute(member, wanted, at, view));
    alone.or_else(|| {
        let mut literals = Vec::new();
        collect(condition, wanted, view, &mut literals);
        literals.iter().find_map(|(first, _)| {
            let same: Vec<_> = literals.iter().filter(|(leaf, _)| leaf.field == first.field).copied().collect();
            (same.len() > 1 && !satisfiable(&view.domain(&first.field), &same)).then(|| Blame {
                pointer: at.to_owned(),
                reason: format!("its comparisons of `{}` can never hold together", first.field.path),
            })
        })
    })
}

/// Shows that no member can be `wanted`.
fn refute_some<'a>(
    members: impl Iterator<Item = (&'a Predicate<Field>, String)>,
    joint: &str,
    wanted: bool,
    at: &str,
    view: &View<'_>,
) -> Option<Blame> {
    let mut blames = Vec::new();
    for (member, at) in members {
        blames.push(refute(member, wanted, &at, view)?);
    }
    let many = blames.len() > 1;
    match blames.into_iter().next() {
        None => {
            let reason = format!("`{joint}` without members is never {wanted}");
            Some(Blame { pointer: at.to_owned(), reason })
        }
        Some(blame) if many => {
            let reason = format!("none of its alternatives can ever hold; the first: {}", blame.reason);
            Some(Blame { pointer: at.to_owned(), reason })
        }
        only => only,
    }
}

fn refute_leaf(leaf: &Leaf<Field>, wanted: bool, at: &str, view: &View<'_>) -> Option<Blame> {
    let blame = |key: &str, reason| Some(Blame { pointer: format!("{at}/{key}"), reason });
    if !view.has(&leaf.field) {
        return blame("field", view.lacks(&leaf.field));
    }
    let domain = view.domain(&leaf.field);
    if satisfiable(&domain, &[(leaf, wanted)]) {
        return None;
    }
    let Leaf { field: Field { path, source, .. }, op, value } = leaf;
    let comparison = format!("`{path}` {} {value}", op.as_str());
    if *source == Source::Text(Text::IntentTarget) && domain.listed.is_some() {
        return blame("value", format!("{comparison} fits no registered tool"));
    }
    let known = match domain {
        Domain { words: Some(values), .. } | Domain { listed: Some(values), .. } => {
            format!(", as `{path}` is one of {}", Value::from(values))
        }
        Domain { types: Types::ALL, .. } => String::new(),
        Domain { types, .. } => format!(", as `{path}` is {types}"),
    };
    blame("value", format!("{comparison} is never {wanted}{known}"))
}

/// Every comparison that has to have a certain truth where the condition is `wanted`.
fn collect<'a>(condition: &'a Predicate<Field>, wanted: bool, view: &View<'_>, literals: &mut Vec<Literal<'a>>) {
    match (condition, wanted) {
        (Predicate::Leaf(leaf), _) => literals.push((leaf, wanted)),
        (Predicate::Not(member), _) => collect(member, !wanted, view, literals),
        (Predicate::All(members), true) => members.iter().for_each(|member| collect(member, wanted, view, literals)),
        (Predicate::Any(members), false) => {
            let judged = members.iter().filter(|member| judges(member, view));
            judged.for_each(|member| collect(member, wanted, view, literals));
        }
        (Predicate::All(members) | Predicate::Any(members), _) => {
            if let [only] = members.as_slice() {
                collect(only, wanted, view, literals);
            }
        }
    }
}

fn judges(condition: &Predicate<Field>, view: &View<'_>) -> bool {
    applies(condition, &|field| view.has(field))
}
