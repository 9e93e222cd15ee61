use std::sync::Arc;

use serde_json::Value;

use super::{guard::guard_sync, quote::at_least_a_call, salts::Salts};
use crate::{
    canon::{CanonError, EntryId, NamedBlob, WorldRoot, normalise, settle},
    commit::{Change, Commit, DeltaOp, Observation, Origin, Undo},
    compile::Staged,
    contract::Effect,
    host::{Entropy, EntropyError},
    ledger::{
        Draft, Kind,
        record::{Failure, FailureCause, WhatHappened},
    },
    redact::Veil,
    tool::{Reads, ToolContract, ToolOutput},
    world::{FoldOp, Unfold, World},
    writ::Amounts,
};

/// A tool's answer, not yet judged.
pub struct Finished {
    pub(super) staged: Staged,
    pub(super) tool: Arc<dyn ToolContract>,
    pub(super) reads: Reads,
    pub(super) compensates: Option<EntryId>,
    pub(super) dispatch: Option<EntryId>,
    pub(super) returned: Returned,
    pub(super) elapsed_ms: u64,
    pub(super) veil: Veil,
}

pub(super) enum Returned {
    Output(ToolOutput),
    /// An output that may not be recorded.
    Unfit(String),
    NotDone(String),
    Failed(String),
    Panicked(String),
    TimedOut,
    Cancelled,
}

/// What is to be recorded of an execution.
#[derive(Debug)]
pub struct Concluded {
    /// The commit or failure record.
    pub draft: Draft,
    /// What it cost.
    pub cost: Amounts,
    /// How it ended.
    pub conclusion: Conclusion,
    /// Takes the change of the world back, should the record not be stored.
    pub unfold: Unfold,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Conclusion {
    /// It is a commit; the world has been folded.
    Committed {
        /// What the tool observed.
        output: Value,
    },
    /// It is a failure; the world is unchanged.
    Failed {
        /// Why.
        cause: FailureCause,
        /// What the tool said.
        message: String,
        /// Whether the effect happened.
        effect: WhatHappened,
    },
}

/// An outcome that cannot be recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConcludeError {
    /// No salts can be had.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A record cannot be sealed.
    #[error(transparent)]
    Seal(#[from] CanonError),
}

/// Why an output did not become a commit, with what could be kept of it.
struct Fault {
    cause: FailureCause,
    message: String,
    kept: Option<Kept>,
}

/// An output whose values are sealed.
struct Kept {
    observation: Observation,
    undo: Option<Undo>,
    blobs: Vec<NamedBlob>,
    output: Value,
}

impl Finished {
    /// Whether the tool's code came to its end; otherwise it may go on, and nobody waits for it.
    pub fn has_returned(&self) -> bool {
        !matches!(self.returned, Returned::TimedOut | Returned::Cancelled)
    }

    /// Judges the answer: postcondition, trial apply, cost. On success `world` is changed by the commit that is to stand at
    /// `seq`, otherwise it is not.
    ///
    /// # Errors
    /// When not even a failure can be recorded.
    pub fn conclude(mut self, world: &mut World, seq: u64, entropy: &dyn Entropy) -> Result<Concluded, ConcludeError> {
        let quoted = self.staged.quote().cost;
        let mut cost = Amounts { wall_clock_ms: self.elapsed_ms, ..quoted };
        let fault = match std::mem::replace(&mut self.returned, Returned::Cancelled) {
            Returned::Output(output) => {
                if let Some(spent) = output.cost {
                    cost = Amounts { wall_clock_ms: self.elapsed_ms, ..at_least_a_call(spent.least(&Amounts::MAX)) };
                }
                match self.commit(output, &cost, &quoted, (world, seq), entropy)? {
                    Ok(concluded) => return Ok(concluded),
                    Err(fault) => fault,
                }
            }
            Returned::Unfit(message) => Fault { cause: FailureCause::BadResult, message, kept: None },
            Returned::NotDone(message) => {
                // The tool vouches that nothing happened: neither money nor tokens are gone.
                cost = Amounts { wall_clock_ms: self.elapsed_ms, ..quoted.calls() };
                Fault { cause: FailureCause::NotDone, message, kept: None }
            }
            Returned::Failed(message) => Fault { cause: FailureCause::ToolFailed, message, kept: None },
            Returned::Panicked(message) => Fault { cause: FailureCause::ToolPanicked, message, kept: None },
            Returned::TimedOut => {
                let message = format!("no answer within {} ms", quoted.wall_clock_ms);
                Fault { cause: FailureCause::TimedOut, message, kept: None }
            }
            Returned::Cancelled => {
                Fault { cause: FailureCause::Cancelled, message: "the run was cancelled".into(), kept: None }
            }
        };
        self.fail(fault, cost, entropy)
    }

    fn commit(
        &self,
        output: ToolOutput,
        cost: &Amounts,
        quoted: &Amounts,
        (world, seq): (&mut World, u64),
        entropy: &dyn Entropy,
    ) -> Result<Result<Concluded, Fault>, ConcludeError> {
        let postcondition = guard_sync(|| self.tool.postcondition(self.staged.masked_args(), &self.reads, &output));
        let ToolOutput { output, delta, undo, .. } = output;
        let valued = delta.0.iter().filter(|change| !matches!(change, Change::Delete { .. })).count();
        let mut salts = Salts::draw(1 + usize::from(undo.is_some()) + valued, entropy)?;
        let mut kept = match keep(output, undo, &mut salts)? {
            Ok(kept) => kept,
            Err(error) => return Ok(Err(fault(FailureCause::BadResult, error.to_string(), None))),
        };
        match postcondition {
            Ok(Ok(())) => {}
            Ok(Err(code)) => return Ok(Err(fault(FailureCause::Postcondition, code, Some(kept)))),
            Err(panic) => return Ok(Err(fault(FailureCause::Postcondition, panic, Some(kept)))),
        }
        if self.staged.contract().effect == Effect::Read && !(delta.0.is_empty() && kept.undo.is_none()) {
            let message = "a tool that declares to change nothing returned a change";
            return Ok(Err(fault(FailureCause::BadResult, message, Some(kept))));
        }
        let overrun = Amounts { wall_clock_ms: 0, ..*cost }.exceeds(&Amounts { wall_clock_ms: 0, ..*quoted });
        if let Some(dimension) = overrun {
            let message = format!("{} above the quoted {}", dimension.as_str(), quoted.get(dimension));
            return Ok(Err(fault(FailureCause::CostOverrun, message, Some(kept))));
        }
        let (ops, folds) = match seal_delta(delta.0, &mut salts, &mut kept.blobs)? {
            Ok(sealed) => sealed,
            Err(error) => return Ok(Err(fault(FailureCause::BadResult, error.to_string(), Some(kept)))),
        };
        // The trial apply is the real one: storing the record is what makes it true.
        let (world_root, unfold) = match world.fold(seq, folds) {
            Ok(unfold) => (world.root(), unfold),
            Err(error) => return Ok(Err(fault(FailureCause::DeltaConflict, error.to_string(), Some(kept)))),
        };
        let Kept { observation, undo, blobs, output } = kept;
        match self.record_commit(ops, observation, undo, blobs, *cost, world_root) {
            Ok(draft) => Ok(Ok(Concluded { draft, cost: *cost, conclusion: Conclusion::Committed { output }, unfold })),
            Err(error) => {
                world.unfold(unfold);
                Ok(Err(fault(FailureCause::BadResult, error.to_string(), None)))
            }
        }
    }

    fn record_commit(
        &self,
        delta: Vec<DeltaOp>,
        observation: Observation,
        undo: Option<Undo>,
        blobs: Vec<NamedBlob>,
        cost: Amounts,
        world_root: WorldRoot,
    ) -> Result<Draft, CanonError> {
        let (compensates, origin) = (self.compensates, self.origin());
        let commit = Commit { compensates, cost, delta, observation, origin, undo, world_root };
        Draft::seal_named(Kind::Commit, &commit, self.all_blobs(blobs))
    }

    fn fail(&self, fault: Fault, cost: Amounts, entropy: &dyn Entropy) -> Result<Concluded, ConcludeError> {
        let Fault { cause, message, kept } = fault;
        let effect = match (self.dispatch, cause) {
            (None, _) | (_, FailureCause::NotDone) => WhatHappened::None,
            (Some(_), cause) if cause.follows_an_output() => WhatHappened::Happened,
            (Some(_), _) => WhatHappened::Unknown,
        };
        let message: String = self.veil.text(&message).chars().take(MAX_MESSAGE).collect();
        let detail = NamedBlob::seal(&Value::from(message.clone()), Salts::draw(1, entropy)?.next()?)?;
        // What a tool without a host effect observed does not count once its delta was refused.
        let kept = kept.filter(|_| self.dispatch.is_some());
        let record = |kept| self.record_failure(cause, effect, cost, &detail, kept);
        let draft = match kept {
            // That it happened has to be recorded, even where what was observed is too much for a record.
            Some(kept) => record(Some(kept)).or_else(|_| record(None))?,
            None => record(None)?,
        };
        Ok(Concluded {
            draft,
            cost,
            conclusion: Conclusion::Failed { cause, message, effect },
            unfold: Unfold::default(),
        })
    }

    fn record_failure(
        &self,
        cause: FailureCause,
        effect: WhatHappened,
        cost: Amounts,
        detail: &NamedBlob,
        kept: Option<Kept>,
    ) -> Result<Draft, CanonError> {
        let mut blobs = vec![];
        let (mut observation, mut undo) = (None, None);
        if let Some(kept) = kept {
            let committed: Vec<_> =
                std::iter::once(kept.observation.output).chain(kept.undo.as_ref().map(|undo| undo.args)).collect();
            blobs.extend(kept.blobs.into_iter().filter(|blob| committed.contains(&blob.commitment())));
            (observation, undo) = (Some(kept.observation), kept.undo);
        }
        blobs.push(detail.clone());
        let detail = Some(detail.commitment());
        let record = Failure { cause, cost, detail, effect, observation, origin: self.origin(), undo };
        Draft::seal_named(Kind::Failure, &record, self.all_blobs(blobs))
    }

    fn origin(&self) -> Origin {
        match self.dispatch {
            Some(entry) => Origin::Dispatch(entry),
            None => Origin::Proposal(self.staged.shared()),
        }
    }

    /// The intent's blobs belong to the first entry that names them: the dispatch, where there was one.
    fn all_blobs(&self, more: Vec<NamedBlob>) -> Vec<NamedBlob> {
        let intent = self.staged.intent().blobs().filter(|_| self.dispatch.is_none());
        intent.cloned().chain(more).collect()
    }
}

/// The most characters of a tool's message that are recorded.
const MAX_MESSAGE: usize = 4_096;

fn fault(cause: FailureCause, message: impl Into<String>, kept: Option<Kept>) -> Fault {
    Fault { cause, message: message.into(), kept }
}

fn keep(
    output: Value,
    undo: Option<(crate::contract::ToolName, Value)>,
    salts: &mut Salts,
) -> Result<Result<Kept, CanonError>, EntropyError> {
    let normalised = normalise(output);
    let blob = match NamedBlob::seal(&normalised.value, salts.next()?) {
        Ok(blob) => blob,
        Err(error) => return Ok(Err(error)),
    };
    let observation = Observation { normalised: normalised.pointers, output: blob.commitment() };
    let mut kept = Kept { observation, undo: None, blobs: vec![blob], output: normalised.value };
    if let Some((tool, args)) = undo {
        let blob = match NamedBlob::seal(&args, salts.next()?) {
            Ok(blob) => blob,
            Err(error) => return Ok(Err(error)),
        };
        kept.undo = Some(Undo { args: blob.commitment(), tool });
        kept.blobs.push(blob);
    }
    Ok(Ok(kept))
}

type SealedDelta = (Vec<DeltaOp>, Vec<FoldOp>);

fn seal_delta(
    changes: Vec<Change>,
    salts: &mut Salts,
    blobs: &mut Vec<NamedBlob>,
) -> Result<Result<SealedDelta, CanonError>, EntropyError> {
    let (mut ops, mut folds) = (Vec::with_capacity(changes.len()), Vec::with_capacity(changes.len()));
    for change in changes {
        let (resource, expected, value) = match change {
            Change::Create { resource, value } => (resource, 0, Some(value)),
            Change::Replace { resource, version, value } => (resource, version, Some(value)),
            Change::Delete { resource, version } => (resource, version, None),
        };
        let becomes = match value {
            Some(value) => match NamedBlob::seal(&value, salts.next()?) {
                Ok(blob) => {
                    // What the world holds is what a replay will read back.
                    let becomes = (blob.commitment(), settle(value, &blob.bytes).ok().map(Arc::new));
                    blobs.push(blob);
                    Some(becomes)
                }
                Err(error) => return Ok(Err(error)),
            },
            None => None,
        };
        ops.push(match (&becomes, expected) {
            (Some((value, _)), 0) => DeltaOp::Create { resource: resource.clone(), value: *value },
            (Some((value, _)), version) => DeltaOp::Replace { resource: resource.clone(), value: *value, version },
            (None, version) => DeltaOp::Delete { resource: resource.clone(), version },
        });
        folds.push(FoldOp { resource, expected, becomes });
    }
    Ok(Ok((ops, folds)))
}
