use std::time::Duration;

use super::super::{
    Bench, Failed, Row, Target, Unit,
    floor::{Rows, Signing, Stored},
    scene::{ASK, CREATE, Keys, Scene, create, time},
    times::{Turns, timed},
};
use crate::{
    LedgerStore, Run, Submitted,
    canon::EntryId,
    host::block_on,
    ledger::{MemoryLedger, redb::RedbLedger},
    runtime::Answer,
};

/// The rows: a vote on disk, and what it takes to carry out what is approved.
pub(crate) fn approval(bench: &mut Bench<'_>) -> Result<(), Failed> {
    let votes = votes(bench)?;
    bench.tell(Row {
        name: "vote, durable, p50".into(),
        unit: Unit::Nanos,
        figure: votes.product.percentile(50),
        floor: Some((votes.floor.percentile(50), "redb commit of the same rows, ed25519 sign and verify")),
        target: Some(Target::MostTimes(1.6)),
    });
    let carried = carried(bench)?;
    bench.tell(Row {
        name: "carrying out what is approved, memory, signed, p50".into(),
        unit: Unit::Nanos,
        figure: carried.product.percentile(50),
        floor: Some((carried.floor.percentile(50), "a governed call of the same tool in the same run")),
        target: Some(Target::MostTimes(1.1)),
    });
    Ok(())
}

struct Office {
    scene: Scene,
    run: Run,
    keys: Keys,
}

impl Office {
    fn open(ledger: impl LedgerStore + 'static) -> Result<Self, Failed> {
        block_on(async {
            let scene = Scene::open(ledger, true).await?;
            let run = scene.start().await?;
            Ok(Self { scene, run, keys: Keys::new() })
        })
    }

    /// Asks for a call that waits.
    async fn ask(&self, number: usize) -> Result<EntryId, Failed> {
        match self.run.submit(create(ASK, number)).await? {
            Submitted::Suspended { entry, .. } => Ok(entry),
            other => Err(format!("a call that has to wait did not: {other:?}").into()),
        }
    }

    async fn first(&self, request: EntryId) -> Result<(), Failed> {
        self.run.vote(Answer::approve(request).by("operator", &self.keys.root)).await?;
        Ok(())
    }

    async fn second(&self, request: EntryId) -> Result<(), Failed> {
        self.run.vote(Answer::approve(request).by("agent", &self.keys.agent)).await?;
        Ok(())
    }

    async fn carry_on(&self) -> Result<(), Failed> {
        match self.run.carry_on().await?.as_slice() {
            [(_, Submitted::Committed { .. })] => Ok(()),
            other => Err(format!("what was approved was not carried out: {other:?}").into()),
        }
    }
}

/// Votes that do not decide yet.
fn votes(bench: &Bench<'_>) -> Result<Turns, Failed> {
    let office = Office::open(RedbLedger::open(bench.file("votes.redb"))?)?;
    let mut rows = Rows::create(&bench.file("votes.floor"))?;
    let stored = block_on(async {
        let request = office.ask(0).await?;
        let stored = Stored::of(&office.scene.runtime, &office.run, office.first(request)).await?;
        office.second(request).await?;
        office.carry_on().await?;
        Ok::<_, Failed>(stored)
    })?;
    let signing = Signing::new();
    let vote = |number| {
        block_on(async {
            let request = office.ask(number + 1).await?;
            let start = std::time::Instant::now();
            office.first(request).await?;
            let took = start.elapsed();
            office.second(request).await?;
            office.carry_on().await?;
            Ok::<Duration, Failed>(took)
        })
    };
    let floor = |_| {
        let (took, ()) = timed(|| {
            signing.sign();
            signing.verify();
            stored.iter().try_for_each(|stored| rows.commit(stored, 1))
        })?;
        Ok(took)
    };
    Turns::of(bench.scale.durable / 4, 1, vote, floor)
}

/// Calls that two approved, carried out.
fn carried(bench: &Bench<'_>) -> Result<Turns, Failed> {
    let office = Office::open(MemoryLedger::new())?;
    let count = bench.scale.calls / 3;
    let carry = |number| {
        block_on(async {
            let request = office.ask(number).await?;
            office.first(request).await?;
            office.second(request).await?;
            let start = std::time::Instant::now();
            office.carry_on().await?;
            Ok::<Duration, Failed>(start.elapsed())
        })
    };
    Turns::of(count, 1, carry, |number| time(&office.run, create(CREATE, count + number)))
}
