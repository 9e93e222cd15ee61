//! Writs: chains with their ids, chains that are refused and why, and tool patterns.

use openthymos::{
    canon::{ContractHash, Nonce, StoreId, WritId},
    contract::{Effect, ToolName},
    crypto::{NamedKey, Purpose},
    predicate::Predicate,
    writ::{
        Amounts, Audience, ChainError, Delegation, Excess, Scope, SignedWrit, ToolPattern, UnverifiedChain, Window,
        WritBody,
    },
};
use serde_json::{Value, json};

use crate::{
    file::vectors_hold,
    fixture::{AGENT, CHILD, NOW_MS, OPERATOR, Party, SUCCESSOR},
};

fn scope(pattern: &str) -> Scope {
    Scope::tools(pattern.parse().unwrap())
}

fn condition() -> Predicate {
    serde_json::from_value(json!({"all": [
        {"field": "args.amount", "op": "lte", "value": 100},
        {"not": {"field": "args.to", "op": "eq", "value": null}},
    ]}))
    .unwrap()
}

/// A root writ that uses every member.
pub fn root() -> WritBody {
    WritBody {
        audience: Audience::Stores(vec![StoreId([1; 32]), StoreId([2; 32])]),
        budget: Amounts { tokens: 1_000, tool_calls: 10, usd_millicents: 500, wall_clock_ms: 60_000 },
        delegation: Delegation { depth: 2, may_subdivide: true },
        effect_ceiling: Effect::External,
        format: 1,
        issuer: OPERATOR.named(),
        nonce: Nonce([1; 16]),
        parent: None,
        scopes: vec![
            scope("kv_*"),
            Scope {
                contracts: Some(vec![ContractHash([3; 32])]),
                tool: "pay".parse().unwrap(),
                when: Some(condition()),
            },
        ],
        subject: AGENT.named(),
        tenant: "acme".into(),
        window: Window { expires_at_ms: NOW_MS + 86_400_000, not_before_ms: NOW_MS },
    }
}

fn child() -> WritBody {
    WritBody {
        audience: Audience::Stores(vec![StoreId([1; 32])]),
        budget: Amounts { tool_calls: 10, ..Amounts::ZERO },
        delegation: Delegation { depth: 1, may_subdivide: true },
        effect_ceiling: Effect::Write,
        issuer: AGENT.named(),
        nonce: Nonce([2; 16]),
        parent: Some(root().id().unwrap()),
        scopes: vec![scope("kv_get"), scope("kv_*")],
        subject: CHILD.named(),
        ..root()
    }
}

fn grandchild() -> WritBody {
    WritBody {
        delegation: Delegation::default(),
        issuer: CHILD.named(),
        nonce: Nonce([3; 16]),
        parent: Some(child().id().unwrap()),
        scopes: vec![],
        subject: SUCCESSOR.named(),
        ..child()
    }
}

pub fn signed(writ: WritBody, by: Party) -> SignedWrit {
    let signature = by.secret().sign(Purpose::Writ, writ.id().unwrap().as_bytes());
    SignedWrit { signature, writ }
}

fn word(error: &ChainError) -> &'static str {
    match error {
        ChainError::Length { .. } => "length",
        ChainError::Limit { .. } => "limit",
        ChainError::Format { .. } => "format",
        ChainError::Parent { .. } => "parent",
        ChainError::Issuer { .. } => "issuer",
        ChainError::Signature { .. } => "signature",
        ChainError::Wider { source, .. } => match source {
            Excess::NotDelegable => "not_delegable",
            Excess::Depth { .. } => "depth",
            Excess::Tenant { .. } => "tenant",
            Excess::Audience => "audience",
            Excess::Effect { .. } => "effect",
            Excess::Window => "window",
            Excess::Budget { .. } => "budget",
            Excess::Scope { .. } => "scope",
            other => panic!("no word for {other:?}"),
        },
        other => panic!("no word for {other:?}"),
    }
}

fn vector(case: &str, chain: Vec<SignedWrit>) -> Value {
    let ids: Vec<WritId> = chain.iter().map(|signed| signed.writ.id().unwrap()).collect();
    let chain = UnverifiedChain { chain };
    let mut vector = json!({"case": case, "chain": chain.chain, "ids": ids});
    if let Err(error) = chain.verify() {
        vector["refused"] = word(&error).into();
    }
    vector
}

/// A chain of two whose second writ was changed, and signed as it then was.
fn changed(case: &str, change: impl FnOnce(&mut WritBody)) -> Value {
    let mut writ = child();
    change(&mut writ);
    vector(case, vec![signed(root(), OPERATOR), signed(writ, AGENT)])
}

/// The same, below a root that was changed.
fn below(case: &str, change: impl FnOnce(&mut WritBody)) -> Value {
    let mut above = root();
    change(&mut above);
    let writ = WritBody { parent: Some(above.id().unwrap()), ..child() };
    vector(case, vec![signed(above, OPERATOR), signed(writ, AGENT)])
}

#[test]
fn chains_verify_or_are_refused_as_recorded() {
    let whole = || vec![signed(root(), OPERATOR), signed(child(), AGENT), signed(grandchild(), CHILD)];
    let any = WritBody {
        audience: Audience::Any,
        budget: Amounts::ZERO,
        delegation: Delegation::default(),
        scopes: vec![],
        window: Window::ALWAYS,
        ..root()
    };
    let mut vectors = vec![
        vector("a root alone", vec![signed(root(), OPERATOR)]),
        vector("a root for any store, without budget, scope or end", vec![signed(any, OPERATOR)]),
        vector("three links", whole()),
        changed("equal in every dimension but depth", |writ| {
            let WritBody { audience, budget, effect_ceiling, scopes, .. } = root();
            *writ = WritBody { audience, budget, effect_ceiling, scopes, ..writ.clone() };
        }),
        below("the parent is for any store", |above| above.audience = Audience::Any),
    ];
    assert!(vectors.iter().all(|vector| vector.get("refused").is_none()), "{vectors:?}");

    let pins = |pins: Option<Vec<ContractHash>>| Scope { contracts: pins, ..scope("pay") };
    let mut refused = vec![
        vector("no writ", vec![]),
        changed("a tenant with too long a name", |writ| writ.tenant = "t".repeat(257)),
        vector("the root names a parent", vec![signed(child(), AGENT)]),
        vector("a link is missing", vec![signed(root(), OPERATOR), signed(grandchild(), CHILD)]),
        vector("signed by another key", vec![signed(root(), AGENT)]),
        vector("turned round", whole().into_iter().rev().collect()),
        changed("issued by another than the parent's subject", |writ| writ.issuer = SUCCESSOR.named()),
        changed("another format", |writ| writ.format = 2),
        below("the parent may not be divided", |above| above.delegation.may_subdivide = false),
        below("the parent has no depth", |above| above.delegation.depth = 0),
        changed("as deep as the parent", |writ| writ.delegation.depth = 2),
        changed("another tenant", |writ| writ.tenant = "other".into()),
        changed("any store", |writ| writ.audience = Audience::Any),
        changed("another store", |writ| writ.audience = Audience::Stores(vec![StoreId([1; 32]), StoreId([9; 32])])),
        changed("a greater effect", |writ| writ.effect_ceiling = Effect::Irreversible),
        changed("begins earlier", |writ| writ.window.not_before_ms -= 1),
        changed("ends later", |writ| writ.window.expires_at_ms += 1),
        changed("more tokens", |writ| writ.budget.tokens = 1_001),
        changed("more calls", |writ| writ.budget.tool_calls = 11),
        changed("more money", |writ| writ.budget.usd_millicents = 501),
        changed("more time", |writ| writ.budget.wall_clock_ms = 60_001),
        changed("a wider pattern", |writ| writ.scopes.push(scope("k*"))),
        changed("another tool", |writ| writ.scopes = vec![scope("fs_read")]),
        changed("pins dropped", |writ| writ.scopes.push(pins(None))),
        changed("a pin added", |writ| writ.scopes.push(pins(Some(vec![ContractHash([3; 32]), ContractHash([4; 32])])))),
    ];
    let names = |mut writ: WritBody| {
        writ.issuer = NamedKey::new("somebody else", writ.issuer.key);
        writ
    };
    let renamed = SignedWrit { writ: names(root()), ..signed(root(), OPERATOR) };
    refused.push(vector("a name changed after signing", vec![renamed]));
    assert!(refused.iter().all(|vector| vector.get("refused").is_some()), "{refused:?}");
    vectors.extend(refused);
    vectors_hold("writs.json", &vectors);
}

#[test]
fn patterns_match_and_cover_as_recorded() {
    let tools = ["kv_get", "kv_", "kv", "KV_get", "mcp:github/issues.list", "a-b", "axbxc", "?"];
    let texts = [
        "*", "?", "kv_*", "kv_?", "kv_get", "*_*", "k*t", "mcp:*", "*list", "a*b*c", "a*c", "a?c", "?*", "*?", "**",
        "", "a b", "[a]", "{a,b}", "\u{e9}",
    ];
    let mut vectors = Vec::new();
    let patterns: Vec<ToolPattern> = texts
        .iter()
        .filter_map(|text| match text.parse::<ToolPattern>() {
            Ok(pattern) => Some(pattern),
            Err(_) => {
                vectors.push(json!({"pattern": text, "refused": true}));
                None
            }
        })
        .collect();
    for pattern in &patterns {
        let names = tools.iter().filter_map(|tool| ToolName::new(*tool).ok());
        let matches: Vec<_> = names.filter(|tool| pattern.matches(tool)).collect();
        let covers: Vec<_> = patterns.iter().filter(|other| pattern.covers(other)).map(ToolPattern::as_str).collect();
        vectors.push(json!({"pattern": pattern, "matches": matches, "covers": covers}));
    }
    vectors.push(json!({"tools": tools, "names": tools.map(|tool| ToolName::new(tool).is_ok())}));
    vectors_hold("patterns.json", &vectors);
}
