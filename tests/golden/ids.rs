//! Ids and statements: which JSON is hashed in which domain.

use openthymos::{
    canon::{CanonError, domain, to_canonical},
    contract::Contract,
    policy::{Coordination, PolicySet},
    proposal::{Plan, Status},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    authority::{bundle, contract, policies, reset, revocation, roster, rotation},
    file::{hex, vectors_hold},
    run::{child_start, child_writ, decision, delegation, intent, resolved, skill, start, store, trajectory, vote},
    writs,
};

fn vector(
    what: &str,
    of: &impl Serialize,
    context: &openthymos::canon::Domain,
    id: Result<String, CanonError>,
) -> Value {
    let json = to_canonical(of).unwrap();
    let id = id.unwrap();
    assert_eq!(hex(&context.hash(&[&json])), id, "{what}");
    json!({ "what": what, "context": context.context(), "json": String::from_utf8(json).unwrap(), "id": id })
}

#[test]
fn ids_are_hashes_of_the_recorded_json() {
    let text = |id: Result<_, _>| id.map(|id: Value| id.as_str().unwrap_or_default().to_owned());
    macro_rules! id {
        ($id:expr) => {
            text($id.map(|id| serde_json::to_value(id).unwrap()))
        };
    }
    let call = resolved(Plan::Call);
    let identity = json!({
        "contract": call.contract, "intent": intent().id().unwrap(), "plan": call.plan, "trajectory": trajectory(),
        "writ": writs::root().id().unwrap(),
    });
    let empty = PolicySet::default();
    let limits = PolicySet::builder().coordination(Coordination::default()).build().unwrap();
    let delegate = Contract::delegate();
    let delegation = delegation();
    let decision_to_delegate = &delegation.decision;
    let staged = decision(Status::Staged);
    let mut vectors = vec![
        vector("writ", &writs::root(), &domain::WRIT, id!(writs::root().id())),
        vector("start", &start(None), &domain::TRAJECTORY, id!(start(None).trajectory())),
        vector("intent", &intent(), &domain::INTENT, id!(intent().id())),
        vector("proposal", &identity, &domain::PROPOSAL, id!(Ok(call.id))),
        vector("decision", &staged, &domain::DECISION, id!(staged.hash())),
        vector("contract", &contract(), &domain::CONTRACT, id!(contract().hash())),
        vector("bundle", &bundle(), &domain::BUNDLE, id!(bundle().hash())),
        vector("policy set", policies().definition(), &domain::POLICY_SET, id!(Ok(policies().hash()))),
        vector("empty policy set", empty.definition(), &domain::POLICY_SET, id!(Ok(empty.hash()))),
        vector("policy set with limits on children", limits.definition(), &domain::POLICY_SET, id!(Ok(limits.hash()))),
        vector("roster", &roster(), &domain::ROSTER, id!(roster().hash())),
        vector("skill", &skill(), &domain::SKILL, id!(skill().hash())),
        vector("revocation", &revocation(), &domain::STATEMENT, id!(revocation().hash())),
        vector("rotation", &rotation(), &domain::STATEMENT, id!(rotation().hash())),
        vector("clock reset", &reset(), &domain::STATEMENT, id!(reset().hash())),
        vector("vote", &vote(), &domain::STATEMENT, id!(vote().hash())),
        vector("contract of delegations", &delegate, &domain::CONTRACT, id!(delegate.hash())),
        vector("intent to delegate", &delegation.intent, &domain::INTENT, id!(delegation.intent.id())),
        vector("decision to delegate", decision_to_delegate, &domain::DECISION, id!(decision_to_delegate.hash())),
        vector("writ of a child", &child_writ(), &domain::WRIT, id!(child_writ().id())),
        vector("start of a child", &child_start(), &domain::TRAJECTORY, id!(child_start().trajectory())),
    ];
    let genesis = String::from_utf8(crate::authority::genesis().record.to_vec()).unwrap();
    vectors.push(json!({
        "what": "store", "context": domain::STORE.context(), "json": genesis, "id": store(),
    }));
    vectors_hold("ids.json", &vectors);
}
