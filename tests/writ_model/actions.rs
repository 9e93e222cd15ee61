use std::collections::BTreeSet;

use openthymos::{
    canon::{StoreId, TrajectoryId, WritId},
    compile::{Inputs, Standing, admit},
    contract::{Contract, ContractSet, Effect, Risk, SealedContract, Touches},
    crypto::{NamedKey, Purpose, Role, Trust},
    host::SeededEntropy,
    intent::{Intent, SealedIntent},
    policy::PolicySet,
    predicate::{Op, Predicate},
    proposal::{Code, Proposal, Status},
    world::World,
    writ::{Amounts, Audience, SignedWrit, UnverifiedChain, WritBody, WritChain},
};
use serde_json::{Value, json};

use crate::{
    draw::{Draw, EFFECTS, key, narrowed, scope, store, writ},
    patterns::Patterns,
};

const CHAINS: usize = 1_500;
const ACTIONS: usize = 70;

/// What is asked for, and when.
struct Action<'a> {
    contract: &'a SealedContract,
    intent: &'a SealedIntent,
    n: Option<u64>,
    now: u64,
    store: StoreId,
    left: Amounts,
}

/// Whether a writ alone allows an action, as the words mean it.
fn allows(patterns: &Patterns, writ: &WritBody, action: &Action<'_>) -> bool {
    let store = match &writ.audience {
        Audience::Any => true,
        Audience::Stores(stores) => stores.contains(&action.store),
    };
    let scope = writ.scopes.iter().any(|scope| {
        patterns.matches(&scope.tool, &action.contract.name)
            && scope.contracts.as_ref().is_none_or(|pins| pins.contains(&action.contract.hash()))
            && scope.when.as_ref().is_none_or(|when| holds(when, action.n) == Some(true))
    });
    let window = (writ.window.not_before_ms..=writ.window.expires_at_ms).contains(&action.now);
    store && scope && window && action.contract.effect <= writ.effect_ceiling
}

/// A condition over `args.n`, the only argument there is: unknown where it is absent.
fn holds(when: &Predicate, n: Option<u64>) -> Option<bool> {
    match when {
        Predicate::All(members) => {
            let members: Vec<_> = members.iter().map(|member| holds(member, n)).collect();
            if members.contains(&Some(false)) { Some(false) } else { (!members.contains(&None)).then_some(true) }
        }
        Predicate::Any(members) => {
            let members: Vec<_> = members.iter().map(|member| holds(member, n)).collect();
            if members.contains(&Some(true)) { Some(true) } else { (!members.contains(&None)).then_some(false) }
        }
        Predicate::Not(member) => holds(member, n).map(|holds| !holds),
        Predicate::Leaf(leaf) => {
            let n = n.filter(|_| leaf.field.to_string() == "args.n")?;
            let value = leaf.value.as_u64().unwrap();
            Some(match leaf.op {
                Op::Lte => n <= value,
                Op::Gt => n > value,
                Op::Eq => n == value,
                other => panic!("{other:?}"),
            })
        }
    }
}

/// A chain of up to five links that verifies; the first keys are the same in every chain.
fn chain(draw: &mut Draw, patterns: &Patterns, contracts: &[SealedContract]) -> WritChain {
    let parties = |link: u8| {
        let named = |seed: u8| NamedKey::new(format!("key {seed}"), key(seed).public_key());
        (named(link + 1), named(link + 2))
    };
    let sign = |writ: WritBody, link: u8| {
        let signature = key(link + 1).sign(Purpose::Writ, writ.id().unwrap().as_bytes());
        SignedWrit { signature, writ }
    };
    let pins: Vec<_> = contracts.iter().map(SealedContract::hash).collect();
    let mut root = writ(draw, patterns, &pins, &parties(0));
    root.delegation.may_subdivide = true;
    root.delegation.depth = 5;
    root.effect_ceiling = draw.of(&EFFECTS[1..]);
    root.window.expires_at_ms += 3;
    root.scopes.push(scope(draw, patterns, &pins));
    if draw.one_in(2) {
        root.scopes.push(openthymos::writ::Scope::tools("*".parse().unwrap()));
    }
    let mut bodies = vec![root];
    for link in 1..1 + draw.below(5) {
        let above = bodies.last().unwrap();
        let mut child = narrowed(draw, above);
        (child.issuer, child.subject) = parties(link as u8);
        child.delegation.may_subdivide = true;
        child.delegation.depth = above.delegation.depth - 1;
        child.parent = Some(above.id().unwrap());
        if draw.one_in(2) {
            child.window.expires_at_ms -= u64::from(child.window.expires_at_ms > child.window.not_before_ms);
        }
        for scope in &mut child.scopes {
            // Conditions are not compared: a child may have others.
            if draw.one_in(3) {
                scope.when = crate::draw::scope(draw, patterns, &pins).when;
            }
        }
        bodies.push(child);
    }
    let chain = (0..).zip(bodies).map(|(link, writ)| sign(writ, link)).collect();
    UnverifiedChain { chain }.verify().unwrap()
}

fn contracts(patterns: &Patterns) -> Vec<SealedContract> {
    let contract = |(at, name): (usize, &openthymos::contract::ToolName)| {
        let effect = EFFECTS[at % 4];
        SealedContract::new(Contract {
            compensable: false,
            description: String::new(),
            effect,
            name: name.clone(),
            risk: Risk::Low,
            schema: json!({"type": "object"}),
            touches: if effect > Effect::Write { Touches::Host } else { Touches::World },
            version: "1".into(),
        })
        .unwrap()
    };
    patterns.names().iter().take(12).enumerate().map(contract).collect()
}

#[test]
fn an_action_passes_exactly_when_every_link_allows_it() {
    let patterns = Patterns::new();
    let contracts = contracts(&patterns);
    let mut set = ContractSet::default();
    contracts.iter().for_each(|contract| set.insert(contract.clone()).unwrap());
    let args: Vec<(Option<u64>, Value)> =
        (0..4).map(|n| (Some(n), json!({"n": n}))).chain([(None, json!({}))]).collect();
    let entropy = SeededEntropy::new(1);
    let asked: Vec<_> = contracts
        .iter()
        .flat_map(|contract| args.iter().map(move |(n, args)| (contract, *n, args)))
        .map(|(contract, n, args)| {
            (contract, n, Intent::act(contract.name.as_str(), args.clone()).seal(&entropy).unwrap())
        })
        .collect();
    let mut trust = Trust::default();
    trust.add(key(1).public_key(), Role::WritIssuer);
    let (policies, world) = (PolicySet::default(), World::default());
    let mut draw = Draw(2);
    let (mut passed, mut refused) = ([0; 6], 0);
    for number in 0..CHAINS {
        let chain = chain(&mut draw, &patterns, &contracts);
        let ids: Vec<WritId> = chain.links().map(|(id, _)| id).collect();
        for _ in 0..ACTIONS {
            let (contract, n, intent) = &asked[draw.below(asked.len() as u64) as usize];
            let left = Amounts { tool_calls: u64::from(!draw.one_in(12)), ..Amounts::MAX };
            let (store, now) = (store(draw.below(3)), draw.below(9));
            let action = Action { contract, intent, n: *n, now, store, left };
            let revoked: BTreeSet<_> = draw.one_in(12).then(|| draw.of(&ids)).into_iter().collect();
            let model = revoked.is_empty()
                && action.left.tool_calls > 0
                && chain.links().all(|(_, writ)| allows(&patterns, writ, &action));
            let balances = vec![action.left; ids.len()];
            let standing =
                Standing { chain: &chain, clock_ms: now, now_ms: now, revoked: &revoked, store, trust: &trust };
            let inputs = Inputs {
                branch: false,
                denied: &[],
                approvals: &[],
                balances: &balances,
                contracts: &set,
                earlier: None,
                intent: action.intent,
                policies: &policies,
                recorded: None,
                roster: None,
                skills: &[],
                standing,
                trajectory: TrajectoryId([1; 32]),
                world: &world,
            };
            match admit(&inputs).unwrap() {
                Ok(_) => {
                    assert!(model, "chain {number}: {} passes {chain:?}", contract.name);
                    passed[ids.len()] += 1;
                }
                Err(proposal) => {
                    assert!(!model, "chain {number}: {proposal:?} by {chain:?}");
                    names_a_link_that_refuses(&patterns, &chain, &action, &proposal);
                    refused += 1;
                }
            }
        }
    }
    assert!(passed[1..].iter().all(|count| *count > 300) && refused > 10_000, "{passed:?} {refused}");
}

/// Where a refusal names a link, that link alone refuses.
fn names_a_link_that_refuses(patterns: &Patterns, chain: &WritChain, action: &Action<'_>, proposal: &Proposal) {
    let Status::Rejected(refusal) = &proposal.decision.status else { panic!("{proposal:?}") };
    if matches!(refusal.code, Code::Revoked | Code::BudgetExceeded) {
        return;
    }
    if let Some(index) = refusal.pointer.as_ref().and_then(|pointer| pointer.parse().ok()) {
        let (_, writ) = chain.links().nth(index).unwrap();
        assert!(!allows(patterns, writ, action), "{refusal}");
    }
}
