//! A record of every kind that stands on the authority trajectory.

use openthymos::{
    canon::{Commitment, Nonce, TrajectoryId, WritId},
    contract::{Contract, Effect, Risk, Touches},
    crypto::{Purpose, Role},
    host::Signer,
    ledger::{
        AuthorityState, Draft, Kind,
        record::{
            ClockReset, ClockResetStatement, ContractRecord, Genesis, KeyRotation, PolicySetRecord, Revocation,
            RevocationStatement, RosterRecord, RotationStatement, RunOpened, StartRefused, TrustChange, TrustRoot,
        },
    },
    policy::{Bundle, PolicySet, Quorum, Roster, SignedBundle, UnsignedBundle},
    proposal::{Code, Refusal, Stage},
};
use serde_json::{Value, json};

use crate::fixture::{APPROVER, NOW_MS, OPERATOR, RUNTIME, SUCCESSOR, blob};

pub fn contract() -> Contract {
    Contract {
        compensable: true,
        description: "Pays an amount".into(),
        effect: Effect::External,
        name: "pay".parse().unwrap(),
        risk: Risk::High,
        schema: json!({"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}),
        touches: Touches::Host,
        version: "1".into(),
    }
}

pub fn bundle() -> Bundle {
    let rules = json!({
        "name": "payments",
        "version": "2026-01",
        "rules": [
            {
                "name": "large payments are approved",
                "when": {"field": "args.amount", "op": "gt", "value": 100.5},
                "decision": {"kind": "require_approval", "channel": "finance", "reason": "a large amount"}
            },
            {"name": "no tenant but ours", "when": {"field": "writ.tenant_id", "op": "ne", "value": "acme"},
             "decision": {"kind": "deny", "reason": "another tenant"}}
        ]
    });
    Bundle::from_json(rules.to_string().as_bytes()).unwrap()
}

pub fn policies() -> PolicySet {
    let signer: &dyn Signer = &OPERATOR.secret();
    let signed = futures::executor::block_on(SignedBundle::sign(bundle(), signer)).unwrap();
    let verified = signed.verify(|key| *key == OPERATOR.secret().public_key()).unwrap();
    let unsigned = Bundle { name: "unsigned".into(), rules: vec![], version: "1".into() };
    PolicySet::builder().bundle(verified).unsigned_bundle(UnsignedBundle::accept_unsigned(unsigned)).build().unwrap()
}

pub fn roster() -> Roster {
    let finance = Quorum { approvers: vec![APPROVER.named(), OPERATOR.named()], required: 2 };
    Roster { channels: [("finance".to_owned(), finance)].into(), version: "1".into() }
}

pub fn revocation() -> RevocationStatement {
    RevocationStatement { by: OPERATOR.named(), reason: "left the company".into(), writ: WritId([8; 32]) }
}

pub fn rotation() -> RotationStatement {
    RotationStatement {
        invalid_from: None,
        new: SUCCESSOR.named(),
        old: RUNTIME.secret().public_key(),
        role: Role::Runtime,
        store: AuthorityState::store_id(&genesis().record),
    }
}

pub fn reset() -> ClockResetStatement {
    let store = AuthorityState::store_id(&genesis().record);
    ClockResetStatement { by: OPERATOR.named(), high_water_ms: NOW_MS + 5, reading_ms: NOW_MS, store }
}

pub fn genesis() -> Draft {
    let software = "openthymos golden vectors".into();
    let genesis = Genesis { nonce: Nonce([1; 16]), runtime: Some(RUNTIME.named()), software };
    Draft::seal(Kind::Genesis, &genesis, vec![]).unwrap()
}

fn trust() -> TrustRoot {
    let roles = Role::ALL.iter().copied().filter(|role| *role != Role::Runtime).collect();
    TrustRoot { change: TrustChange::Added, root: OPERATOR.named(), roles }
}

fn definition(policies: &PolicySet) -> Value {
    serde_json::to_value(policies.definition()).unwrap()
}

pub fn draft(kind: Kind) -> Option<Draft> {
    let operator = OPERATOR.secret();
    let sealed = match kind {
        Kind::Genesis => Ok(genesis()),
        Kind::TrustRoot => Draft::seal(kind, &trust(), vec![]),
        Kind::KeyRotation => {
            let statement = rotation();
            let signature = RUNTIME.secret().sign(Purpose::Rotation, statement.hash().unwrap().as_bytes());
            Draft::seal(kind, &KeyRotation { signature, signed_by: statement.old, statement }, vec![])
        }
        Kind::Revocation => {
            let statement = revocation();
            let signature = operator.sign(Purpose::Revocation, statement.hash().unwrap().as_bytes());
            Draft::seal(kind, &Revocation { signature, statement }, vec![])
        }
        Kind::PolicySet => {
            let policies = policies();
            Draft::seal(kind, &PolicySetRecord { definition: definition(&policies), hash: policies.hash() }, vec![])
        }
        Kind::Roster => {
            let (roster, hash) = (roster(), roster().hash().unwrap());
            let signature = operator.sign(Purpose::Roster, hash.as_bytes());
            let signed_by = operator.public_key();
            Draft::seal(kind, &RosterRecord { hash, roster, signature, signed_by }, vec![])
        }
        Kind::Contract => {
            let hash = contract().hash().unwrap();
            Draft::seal(kind, &ContractRecord { definition: contract(), hash }, vec![])
        }
        Kind::RunOpened => {
            let opened = RunOpened { trajectory: TrajectoryId([4; 32]), writ: WritId([5; 32]) };
            Draft::seal(kind, &opened, vec![])
        }
        Kind::StartRefused => {
            let task = blob("take over", 21);
            let refusal = Refusal::new(Stage::Chain, Code::UntrustedRoot).asked(SUCCESSOR.secret().public_key());
            let writ = Some(WritId([6; 32]));
            let commitment: Commitment = task.commitment();
            Draft::seal(kind, &StartRefused { refusal, task: commitment, writ }, vec![task])
        }
        Kind::ClockReset => {
            let statement = reset();
            let signature = operator.sign(Purpose::ClockReset, statement.hash().unwrap().as_bytes());
            Draft::seal(kind, &ClockReset { signature, statement }, vec![])
        }
        _ => return None,
    };
    Some(sealed.unwrap())
}
