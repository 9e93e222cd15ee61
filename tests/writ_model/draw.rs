//! Random writs from small domains, so that they often fit each other.

use openthymos::{
    canon::{ContractHash, Nonce, StoreId},
    contract::Effect,
    crypto::{NamedKey, SecretKey},
    predicate::{FieldPath, Leaf, Op, Predicate},
    writ::{Amounts, Audience, Delegation, Scope, WRIT_FORMAT, Window, WritBody},
};
use serde_json::json;

use crate::patterns::Patterns;

/// A repeatable stream of numbers (splitmix64).
pub struct Draw(pub u64);

impl Draw {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    pub fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize].clone()
    }
}

pub const EFFECTS: [Effect; 4] = [Effect::Read, Effect::Write, Effect::External, Effect::Irreversible];

pub fn store(byte: u64) -> StoreId {
    StoreId([byte as u8; 32])
}

pub fn pin(byte: u64) -> ContractHash {
    ContractHash([byte as u8; 32])
}

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// A writ over pins of `pins`, without parent, between keys that are named `a` and `b` and cost nothing to make again.
pub fn writ(draw: &mut Draw, patterns: &Patterns, pins: &[ContractHash], parties: &(NamedKey, NamedKey)) -> WritBody {
    let mut amount = || draw.below(4);
    let budget = Amounts { tokens: amount(), tool_calls: amount(), usd_millicents: amount(), wall_clock_ms: amount() };
    let audience = match draw.below(4) {
        0 => Audience::Any,
        count => Audience::Stores((0..count).map(|_| store(draw.below(3))).collect()),
    };
    let scopes = (0..draw.below(4)).map(|_| scope(draw, patterns, pins)).collect();
    let not_before_ms = draw.below(4);
    WritBody {
        audience,
        budget,
        delegation: Delegation { depth: draw.below(4) as u32, may_subdivide: !draw.one_in(6) },
        effect_ceiling: draw.of(&EFFECTS),
        format: WRIT_FORMAT,
        issuer: parties.0.clone(),
        nonce: Nonce([draw.below(256) as u8; 16]),
        parent: None,
        scopes,
        subject: parties.1.clone(),
        tenant: if draw.one_in(8) { "other".into() } else { "acme".into() },
        window: Window { not_before_ms, expires_at_ms: not_before_ms + draw.below(5) },
    }
}

pub fn scope(draw: &mut Draw, patterns: &Patterns, pins: &[ContractHash]) -> Scope {
    let contracts = draw.one_in(3).then(|| (0..1 + draw.below(3)).map(|_| draw.of(pins)).collect());
    let when = draw.one_in(3).then(|| condition(draw));
    Scope { contracts, tool: draw.of(patterns.all()), when }
}

fn condition(draw: &mut Draw) -> Predicate {
    let leaf = |draw: &mut Draw| {
        let field = FieldPath::parse(draw.of(&["args.n", "args.none"])).unwrap();
        Predicate::Leaf(Leaf { field, op: draw.of(&[Op::Lte, Op::Gt, Op::Eq]), value: json!(draw.below(4)) })
    };
    match draw.below(4) {
        0 => Predicate::Not(Box::new(leaf(draw))),
        1 => Predicate::Any(vec![leaf(draw), leaf(draw)]),
        2 => Predicate::All(vec![leaf(draw), leaf(draw)]),
        _ => leaf(draw),
    }
}

/// A child that fits its parent in most dimensions, made by narrowing it.
pub fn narrowed(draw: &mut Draw, parent: &WritBody) -> WritBody {
    let mut child = parent.clone();
    child.nonce = Nonce([draw.below(256) as u8; 16]);
    child.delegation.depth = draw.below(u64::from(parent.delegation.depth) + 1) as u32;
    let mut less = |amount: u64| amount - draw.below(2).min(amount);
    child.budget = Amounts {
        tokens: less(parent.budget.tokens),
        tool_calls: less(parent.budget.tool_calls),
        usd_millicents: less(parent.budget.usd_millicents),
        wall_clock_ms: less(parent.budget.wall_clock_ms),
    };
    child.scopes.retain(|_| !draw.one_in(4));
    if let Audience::Stores(stores) = &mut child.audience {
        stores.retain(|_| !draw.one_in(4));
    }
    child
}
