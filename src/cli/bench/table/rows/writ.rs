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

/// How many chains take turns: enough that a processor does not learn by heart how each of them goes.
const CHAINS: u8 = 64;

/// The rows: a chain of three writs that is verified, and one that was.
pub(crate) fn writ(bench: &mut Bench<'_>) -> Result<(), Failed> {
    let (keys, signing) = (Keys::new(), Signing::new());
    let chains = (0..CHAINS).map(|number| block_on(chain(number))).collect::<Result<Vec<_>, _>>()?;
    let chain = |number: usize| chains.get(number % chains.len()).ok_or("there is no chain");
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
    let verify = |number| {
        let unverified = chain(number)?.to_unverified();
        Ok(timed(|| Ok(unverified.verify()?))?.0)
    };
    // A run asks again and again for its own chain.
    let own = chain(0)?;
    let judge = |_| {
        let judged = timed(|| {
            let chain = black_box(own).clone();
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

/// A chain of three writs below the operator's key; each `number` has one of its own.
async fn chain(number: u8) -> Result<WritChain, Failed> {
    let keys = Keys::new();
    let [agent, upper, lower] = [0, 1, 2].map(|link| {
        let mut seed = [9; 32];
        (seed[0], seed[1]) = (number, link);
        SecretKey::from_seed(&seed)
    });
    let named = |name: &str, key: &SecretKey| NamedKey::new(name, key.public_key());
    let chain = WritBuilder::root(keys.operator(), named("agent", &agent))
        .any_store()
        .scopes([Scope::tools("*".parse()?)])
        .effects_up_to(Effect::Write)
        .budget(plenty())
        .delegable(2)
        .sign(&keys.root)
        .await?;
    let chain = WritBuilder::child(&chain, named("helper", &upper)).delegable(1).sign(&agent).await?;
    Ok(WritBuilder::child(&chain, named("helper", &lower)).delegable(0).sign(&upper).await?)
}
