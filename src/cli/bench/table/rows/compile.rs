use std::hint::black_box;

use serde_json::{Value, json};

use super::super::{
    Bench, Failed, Row, Target, Unit,
    scene::{CREATE, Deciding},
    times::{BLOCK, Turns, timed},
};
use crate::{
    canon::WritId,
    compile::Compiled,
    host::{SystemEntropy, block_on},
};

/// The rows: with 10 rules and with 100.
pub(in super::super) fn compile(bench: &mut Bench<'_>) -> Result<(), Failed> {
    for (rules, median, slowest) in [(10, 5e3, Some(20e3)), (100, 25e3, None)] {
        let turns = turns(bench.scale.calls, rules)?;
        let row = |percent: usize, target: Option<f64>| Row {
            name: format!("compile, {rules} rules, p{percent}"),
            unit: Unit::Nanos,
            figure: turns.product.percentile(percent),
            floor: Some((turns.floor.percentile(percent), "BLAKE3 of the identity, two comparisons a rule")),
            target: target.map(Target::Most),
        };
        bench.tell(row(50, Some(median)));
        bench.tell(row(99, slowest));
    }
    Ok(())
}

fn turns(calls: usize, rules: usize) -> Result<Turns, Failed> {
    let deciding = block_on(Deciding::under(rules))?;
    let (identity, forbidden) = (identity(), (0..rules).map(Deciding::forbidden).collect::<Vec<_>>());
    let product = |number| {
        let (intent, asked) = (deciding.seal(number, &SystemEntropy)?, deciding.asked());
        let (took, outcome) = timed(|| deciding.decide(&intent, asked))?;
        match outcome {
            Compiled::Staged(_) => Ok(took),
            other => Err(format!("a call that has to be staged was not: {other:?}").into()),
        }
    };
    let floor = |number| {
        let intent = deciding.seal(number, &SystemEntropy)?;
        let (took, ()) = timed(|| {
            black_box(blake3::hash(black_box(&identity)));
            let (target, args) = (intent.record().target.as_str(), black_box(intent.args()));
            for rule in &forbidden {
                let key = args.get("key").and_then(Value::as_str);
                black_box(black_box(target) == CREATE && key.is_some_and(|key| key.starts_with(rule)));
            }
            Ok(())
        })?;
        Ok(took)
    };
    Turns::of(calls, BLOCK, product, floor)
}

/// As many bytes as are hashed to name a proposal.
fn identity() -> Vec<u8> {
    let id = WritId([7; 32]).to_string();
    json!({"contract": id, "intent": id, "plan": "call", "trajectory": id, "writ": id}).to_string().into()
}
