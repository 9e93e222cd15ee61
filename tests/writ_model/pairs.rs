use openthymos::{
    crypto::NamedKey,
    writ::{Audience, Dimension, Excess, Scope, WritBody},
};

use crate::{
    draw::{Draw, EFFECTS, key, narrowed, pin, store, writ},
    patterns::Patterns,
};

const PAIRS: usize = 100_000;

/// Whether the parent allows all that a child allows, by dimension, as the words mean it.
fn fits(patterns: &Patterns, child: &WritBody, parent: &WritBody) -> [bool; 9] {
    let holds = |audience: &Audience, id| match audience {
        Audience::Any => true,
        Audience::Stores(stores) => stores.contains(&store(id)),
    };
    // 9 stands for all the stores that no writ names.
    let stores = (0..10).all(|id| !holds(&child.audience, id) || holds(&parent.audience, id));
    let effects = EFFECTS.iter().all(|effect| *effect > child.effect_ceiling || *effect <= parent.effect_ceiling);
    let within = |writ: &WritBody, time| writ.window.not_before_ms <= time && time <= writ.window.expires_at_ms;
    let times = (0..12).all(|time| !within(child, time) || within(parent, time));
    let amounts = Dimension::ALL.iter().all(|dimension| {
        (0..6).all(|amount| amount > child.budget.get(*dimension) || amount <= parent.budget.get(*dimension))
    });
    [
        parent.delegation.may_subdivide && parent.delegation.depth > 0,
        child.delegation.depth < parent.delegation.depth,
        child.tenant == parent.tenant,
        stores,
        effects,
        times,
        amounts,
        child.scopes.iter().all(|scope| parent.scopes.iter().any(|wide| scope_fits(patterns, scope, wide))),
        true,
    ]
}

/// Conditions aside: those of every link hold.
fn scope_fits(patterns: &Patterns, child: &Scope, parent: &Scope) -> bool {
    let allows = |scope: &Scope, contract| scope.contracts.as_ref().is_none_or(|pins| pins.contains(&pin(contract)));
    patterns.is_subset(&child.tool, &parent.tool) && (0..10).all(|id| !allows(child, id) || allows(parent, id))
}

#[test]
fn a_child_is_accepted_only_when_its_parent_allows_all_that_it_allows() {
    let patterns = Patterns::new();
    let pins: Vec<_> = (0..3).map(pin).collect();
    let parties = (NamedKey::new("a", key(1).public_key()), NamedKey::new("b", key(2).public_key()));
    let mut draw = Draw(1);
    let (mut accepted, mut by_patterns, mut alone) = (0, 0, [0; 9]);
    for number in 0..PAIRS {
        let parent = writ(&mut draw, &patterns, &pins, &parties);
        let mut child = narrowed(&mut draw, &parent);
        let other = writ(&mut draw, &patterns, &pins, &parties);
        // Up to two dimensions come from another writ.
        for _ in 0..draw.below(3) {
            match draw.below(8) {
                0 => child.delegation = other.delegation,
                1 => child.tenant = other.tenant.clone(),
                2 => child.audience = other.audience.clone(),
                3 => child.effect_ceiling = other.effect_ceiling,
                4 => child.window = other.window,
                5 => child.budget = other.budget,
                _ => child.scopes = other.scopes.clone(),
            }
        }
        let dimensions = fits(&patterns, &child, &parent);
        let model = dimensions.iter().all(|fits| *fits);
        let found = child.is_within(&parent);
        match &found {
            Ok(()) => assert!(model, "pair {number}: {child:?} within {parent:?}"),
            // Cover is sound and not complete: it may miss that a pattern with wildcards is narrower.
            Err(Excess::Scope { scope }) if model => {
                assert!(scope.contains(['*', '?']), "pair {number}: {scope} of {parent:?}");
                by_patterns += 1;
            }
            Err(excess) => assert!(!model, "pair {number}: {excess}: {child:?} not within {parent:?}"),
        }
        accepted += u32::from(found.is_ok());
        if let [only] =
            dimensions.iter().enumerate().filter(|(_, fits)| !**fits).map(|(at, _)| at).collect::<Vec<_>>()[..]
        {
            alone[only] += 1;
            let named = match found.unwrap_err() {
                Excess::NotDelegable => 0,
                Excess::Depth { .. } => 1,
                Excess::Tenant { .. } => 2,
                Excess::Audience => 3,
                Excess::Effect { .. } => 4,
                Excess::Window => 5,
                Excess::Budget { .. } => 6,
                Excess::Scope { .. } => 7,
                other => panic!("{other}"),
            };
            assert_eq!(named, only, "pair {number}");
        }
    }
    // The pairs say something: many are accepted, and each dimension is the only one in many others.
    assert!(accepted > 20_000, "{accepted}");
    assert!(alone[1..8].iter().all(|count| *count > 100), "{alone:?}");
    assert!(by_patterns < 1_000, "{by_patterns}");
}
