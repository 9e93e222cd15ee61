use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

use super::super::{
    Bench, Failed, Row, Target, Unit,
    times::{Turns, timed},
};
use crate::{
    World,
    canon::Commitment,
    world::{FoldOp, ResourceId},
};

/// How many changes a round folds.
const CHANGES: usize = 200_000;

/// The rows: changes of a small world and of a large one.
pub(crate) fn fold(bench: &mut Bench<'_>) -> Result<(), Failed> {
    for (resources, least) in [(1_000, 4e6), (bench.scale.large, 1.5e6)] {
        let turns = turns(bench.scale.rounds, resources)?;
        let rate = |nanos: f64| CHANGES as f64 * 1e9 / nanos;
        bench.tell(Row {
            name: format!("fold alone, {resources} resources"),
            unit: Unit::PerSecond,
            figure: rate(turns.product.best()),
            floor: Some((rate(turns.floor.best()), "HashMap insert of the same keys")),
            target: Some(Target::Least(least)),
        });
    }
    Ok(())
}

fn turns(rounds: usize, resources: usize) -> Result<Turns, Failed> {
    let name = |number| ResourceId::new("kv", &format!("key-{number:08}"));
    let ids: Vec<ResourceId> = (0..resources).map(name).collect::<Result<_, _>>()?;
    let value = Some(Arc::new(Value::from("v")));
    let becomes = Some((Commitment([7; 32]), value.clone()));
    // Neighbours in time are no neighbours in the world.
    let order: Vec<&ResourceId> = ids.iter().cycle().step_by(7_919).take(CHANGES).collect();
    let (mut world, mut map) = (World::default(), HashMap::new());
    for resource in &ids {
        world.fold(1, vec![FoldOp { resource: resource.clone(), expected: 0, becomes: becomes.clone() }])?;
        map.insert(resource.clone(), (1, value.clone()));
    }
    let product = |_| {
        let mut versions: HashMap<&ResourceId, u64> = HashMap::new();
        let changes: Vec<Vec<FoldOp>> = (order.iter())
            .map(|resource| {
                let stands = || world.get(resource).map_or(0, |stored| stored.version);
                let expected = *versions.entry(*resource).and_modify(|version| *version += 1).or_insert_with(stands);
                vec![FoldOp { resource: (*resource).clone(), expected, becomes: becomes.clone() }]
            })
            .collect();
        // The root is the replay's to ask for, once: from then on each change would update it.
        let (took, ()) = timed(|| Ok(changes.into_iter().try_for_each(|change| world.fold(2, change).map(drop))?))?;
        Ok(took)
    };
    let floor = |_| {
        let keys: Vec<ResourceId> = order.iter().map(|resource| (*resource).clone()).collect();
        let (took, _) = timed(|| {
            let replaced = keys.into_iter().filter_map(|key| map.insert(key, (2, value.clone())));
            Ok(replaced.count())
        })?;
        Ok(took)
    };
    Turns::of(rounds, 1, product, floor)
}
