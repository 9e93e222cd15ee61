//! Counts the instructions of the hot path under callgrind. `.ci/instructions` holds them to `instructions.json`.
//!
//! Counts do not depend on how busy the machine is, but on the compiler.

// The fixtures of the table name the kernel by the paths that it has inside of the crate.
use openthymos::*;

#[path = "../../src/cli/bench/table/device.rs"]
mod device;
#[path = "../../src/cli/bench/table/scene/mod.rs"]
#[expect(dead_code, reason = "not every fixture is used here")]
mod scene;

use std::hint::black_box;

use gungraun::prelude::*;

use crate::{
    compile::{Asked, Compiled},
    host::{SeededEntropy, block_on},
    intent::SealedIntent,
    ledger::MemoryLedger,
    scene::{CREATE, Deciding, SEND, Scene, commit, create},
};

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// How often a thing is done before it is counted, so that what is prepared on first use is there.
const WARM: usize = 60;

fn deciding(rules: usize) -> Result<(Deciding, SealedIntent, Asked), Failed> {
    let (deciding, entropy) = (block_on(Deciding::under(rules))?, SeededEntropy::new(7));
    for number in 0..WARM {
        deciding.decide(&deciding.seal(number, &entropy)?, deciding.asked())?;
    }
    let (intent, asked) = (deciding.seal(WARM, &entropy)?, deciding.asked());
    Ok((deciding, intent, asked))
}

fn run(signed: bool, tool: &'static str) -> Result<(Scene, Run, Intent), Failed> {
    block_on(async {
        let scene = Scene::open(MemoryLedger::new(), signed).await?;
        let run = scene.start().await?;
        for number in 0..WARM {
            commit(&run, create(tool, number)).await?;
        }
        Ok((scene, run, create(tool, WARM)))
    })
}

#[library_benchmark]
#[bench::rules_10(deciding(10))]
#[bench::rules_100(deciding(100))]
fn compiled(
    fixture: Result<(Deciding, SealedIntent, Asked), Failed>,
) -> Result<(Compiled, Deciding, SealedIntent), Failed> {
    let (deciding, intent, asked) = fixture?;
    Ok((black_box(deciding.decide(black_box(&intent), asked)?), deciding, intent))
}

#[library_benchmark]
#[bench::intent(create(CREATE, 7))]
fn sealed(intent: Intent) -> Result<SealedIntent, Failed> {
    Ok(black_box(intent).seal(&SeededEntropy::new(7))?)
}

#[library_benchmark]
#[bench::unsigned(run(false, CREATE))]
#[bench::signed(run(true, CREATE))]
#[bench::dispatched(run(true, SEND))]
fn governed(fixture: Result<(Scene, Run, Intent), Failed>) -> Result<(u64, Scene, Run), Failed> {
    let (scene, run, intent) = fixture?;
    Ok((block_on(commit(&run, black_box(intent)))?, scene, run))
}

library_benchmark_group!(name = kernel, benchmarks = [compiled, sealed, governed]);
main!(library_benchmark_groups = kernel);
