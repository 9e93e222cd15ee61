use std::{collections::BTreeSet, hint::black_box};

use super::super::{
    Bench, Failed, Row, Target, Unit,
    floor::Signing,
    scene::{Keys, plenty},
    times::{BLOCK, Turns, timed},
};
use crate::{
    canon::StoreId,
    compile::{Standing, check_standing},
    contract::Effect,
    crypto::{NamedKey, Role, SecretKey, Trust},
    host::block_on,
    writ::{Scope, WritBuilder, WritChain},
};

/// The rows: a chain of three writs that is verified, and one that was.
pub(crate) fn writ(bench: &mut Bench<'_>) -> Result<(), Failed> {
    let (keys, signing, chain) = (Keys::new(), Signing::new(), block_on(chain())?);
    let mut trust = Trust::default();
    trust.add(keys.root.public_key(), Role::WritIssuer);
    let (revoked, store) = (BTreeSet::new(), StoreId([7; 32]));
    let verify_one = |_| {
        let (took, ()) = timed(|| {
            signing.verify();
            Ok(())
        })?;
        Ok(took)
    };
    let verify = |_| {
        let unverified = chain.to_unverified();
        Ok(timed(|| Ok(unverified.verify()?))?.0)
    };
    let judge = |_| {
        let judged = timed(|| {
            let chain = black_box(&chain).clone();
            let standing = Standing { chain: &chain, clock_ms: 1, now_ms: 1, revoked: &revoked, store, trust: &trust };
            check_standing(&standing).map_err(|refusal| format!("{refusal:?}"))?;
            Ok(chain)
        })?;
        Ok(judged.0)
    };
    let cold = Turns::of(bench.scale.calls, BLOCK, verify, verify_one)?;
    let cached = Turns::of(bench.scale.calls, BLOCK, judge, verify_one)?;
    for (name, turns, target) in [
        ("writ chain of depth 3, parsed, signatures verified", cold, Target::MostTimes(3.2)),
        ("writ chain of depth 3, verified before", cached, Target::Most(1e3)),
    ] {
        let (figure, floor) = turns.medians();
        let floor = Some((floor, "ed25519 verify_strict of one signature"));
        bench.tell(Row { name: name.into(), unit: Unit::Nanos, figure, floor, target: Some(target) });
    }
    Ok(())
}

async fn chain() -> Result<WritChain, Failed> {
    let keys = Keys::new();
    let below = [4, 5].map(|seed| SecretKey::from_seed(&[seed; 32])).into_iter().zip([1, 0]);
    let named = |name: &str, key: &SecretKey| NamedKey::new(name, key.public_key());
    let mut chain = WritBuilder::root(keys.operator(), named("agent", &keys.agent))
        .any_store()
        .scopes([Scope::tools("*".parse()?)])
        .effects_up_to(Effect::Write)
        .budget(plenty())
        .delegable(2)
        .sign(&keys.root)
        .await?;
    let mut above = keys.agent;
    for (key, depth) in below {
        chain = WritBuilder::child(&chain, named("helper", &key)).delegable(depth).sign(&above).await?;
        above = key;
    }
    Ok(chain)
}
