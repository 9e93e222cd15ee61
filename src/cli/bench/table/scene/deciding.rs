use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{super::Failed, CREATE, Scene, create, fill, plenty};
use crate::{
    World,
    canon::{TrajectoryId, WritId},
    compile::{Asked, Compiled, Inputs, Standing, compile},
    crypto::{Role, Trust},
    host::Entropy,
    intent::SealedIntent,
    ledger::MemoryLedger,
    policy::{Bundle, PolicySet, UnsignedBundle},
    proposal::Quote,
    writ::Amounts,
};

/// Everything that a decision is made from, so that it is compiled again and again with no runtime around.
pub(crate) struct Deciding {
    scene: Scene,
    world: World,
    trajectory: TrajectoryId,
    policies: PolicySet,
    trust: Trust,
    revoked: BTreeSet<WritId>,
    asked: Asked,
}

impl Deciding {
    /// With that many rules, none of which applies, and ten resources.
    pub(crate) async fn under(rules: usize) -> Result<Self, Failed> {
        let scene = Scene::open(MemoryLedger::new(), true).await?;
        let run = scene.start().await?;
        fill(&run, 10).await?;
        let mut trust = Trust::default();
        trust.add(scene.writ.root().issuer.key, Role::WritIssuer);
        Ok(Self {
            world: run.world().await,
            trajectory: run.id(),
            policies: policies(rules)?,
            trust,
            revoked: BTreeSet::new(),
            asked: Quote { cost: Amounts::ONE_CALL, ..Quote::default() }.into(),
            scene,
        })
    }

    pub(crate) fn seal(&self, number: usize, entropy: &dyn Entropy) -> Result<SealedIntent, Failed> {
        Ok(create(CREATE, number).seal(entropy)?)
    }

    /// What the tool said of the call.
    pub(crate) fn asked(&self) -> Asked {
        self.asked.clone()
    }

    /// Compiles: all stages.
    pub(crate) fn decide(&self, intent: &SealedIntent, asked: Asked) -> Result<Compiled, Failed> {
        let inputs = Inputs {
            approvals: &[],
            branch: false,
            denied: &[],
            balances: &[plenty()],
            contracts: self.scene.runtime.contracts(),
            earlier: None,
            intent,
            policies: &self.policies,
            recorded: None,
            roster: None,
            skills: &[],
            standing: Standing {
                chain: &self.scene.writ,
                clock_ms: 1,
                now_ms: 1,
                revoked: &self.revoked,
                store: self.scene.runtime.store_id(),
                trust: &self.trust,
            },
            trajectory: self.trajectory,
            world: &self.world,
        };
        Ok(compile(&inputs, Some(asked))?)
    }

    /// What the keys start with that a rule keeps agents out of.
    pub(crate) fn forbidden(rule: usize) -> String {
        format!("secret-{rule}-")
    }
}

/// Rules that are all looked at, and none of which applies.
fn policies(rules: usize) -> Result<PolicySet, Failed> {
    let rule = |number: usize| {
        let target = json!({"field": "intent.target", "op": "eq", "value": CREATE});
        let key = json!({"field": "intent.args.key", "op": "starts_with", "value": Deciding::forbidden(number)});
        json!({
            "name": format!("keep out of {number}"),
            "when": {"all": [target, key]},
            "decision": {"kind": "deny", "reason": "these keys are not for agents"},
        })
    };
    let rules: Vec<Value> = (0..rules).map(rule).collect();
    let bundle: Bundle = serde_json::from_value(json!({"name": "measured", "version": "1", "rules": rules}))?;
    Ok(PolicySet::builder().unsigned_bundle(UnsignedBundle::accept_unsigned(bundle)).build()?)
}
