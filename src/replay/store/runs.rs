use std::collections::HashMap;

use super::{Authority, Progress, StoreFault, StorePins};
use crate::{
    canon::{EntryId, TrajectoryId},
    ledger::{Entry, LedgerStore},
    replay::{Pins, Rederived, ReplayError, Replayer, Verdict, lineage::Member, run::run_under},
    writ::WritChain,
};

/// The runs of a store, each replayed by itself.
#[derive(Default)]
pub(super) struct Runs {
    pub(super) by_id: HashMap<TrajectoryId, Replayed>,
    pub(super) open: u64,
    pub(super) in_doubt: u64,
    /// What came of deriving their decisions again, where that is asked for.
    pub(super) rederived: Option<Rederived>,
    /// What could not be checked.
    pub(super) incomplete: Vec<String>,
    /// Whether there are entries of kinds that this build does not know.
    pub(super) unknown: bool,
}

/// What a replay showed of a run.
pub(super) struct Replayed {
    pub(super) member: Member,
    /// The chains that were presented to undo what it did.
    pub(super) presented: Vec<WritChain>,
    pub(super) entries: u64,
    pub(super) head: EntryId,
}

impl Runs {
    /// Replays every run that was opened, in the order of the openings.
    pub(super) async fn replay(
        store: &dyn LedgerStore,
        authority: &Authority,
        pins: &StorePins,
        progress: &mut (impl FnMut(Progress<'_>) + Send),
    ) -> Result<Self, ReplayError> {
        let rederived = pins.rederive.then(Rederived::default);
        let mut runs = Self { unknown: !authority.log.unknown().is_empty(), rederived, ..Self::default() };
        let mut first = None;
        for (run, opened) in &authority.openings {
            let pins = Pins {
                rederive: pins.rederive,
                signer: pins.signer,
                store: pins.store,
                options: pins.options,
                ..Pins::default()
            };
            let unknown = &mut runs.unknown;
            let visit = |entry: &Entry, _: &Replayer<'_>| *unknown |= entry.header.known_kind().is_none();
            match run_under(&authority.log, store, run, pins, visit).await {
                Ok((report, folded)) => {
                    progress(Progress::Run { run: *run, outcome: Ok(&report) });
                    runs.open += u64::from(report.ended.is_none());
                    runs.in_doubt += report.in_doubt.len() as u64;
                    if let (Some(all), Some(of_run)) = (&mut runs.rederived, &report.rederived) {
                        all.add(of_run);
                    }
                    if report.verdict() != Verdict::Verified {
                        runs.incomplete.push(format!("run {}: {}", run.short(), report.incomplete.join(", ")));
                    }
                    let presented = folded.presented.iter().map(|presented| presented.chain.clone()).collect();
                    let member = Member::of(folded);
                    let replayed = Replayed { member, presented, entries: report.entries, head: report.head };
                    runs.by_id.insert(*run, replayed);
                }
                Err(ReplayError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    let error = match error {
                        ReplayError::NoRun(run) => StoreFault::Gone { run, opened: *opened }.into(),
                        error => ReplayError::Run { run: *run, source: Box::new(error) },
                    };
                    progress(Progress::Run { run: *run, outcome: Err(&error) });
                    first.get_or_insert(error);
                }
            }
        }
        if runs.unknown {
            runs.incomplete.extend(authority.log.unknown().iter().cloned());
            runs.incomplete.push("accounts and registers were not compared: unknown entries may bear on them".into());
        }
        first.map_or(Ok(runs), Err)
    }
}
