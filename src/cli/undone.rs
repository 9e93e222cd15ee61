//! What of a run's effects was not undone, by the names that people give them.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    failure::{Done, Failure},
    locate,
};
use crate::{
    canon::{EntryId, TrajectoryId},
    commit::{Commit, Origin},
    crypto::PublicKey,
    ledger::{
        Entry, EntryError, Kind, LedgerStore,
        record::{Dispatch, Failure as Failed, Target},
    },
    replay::{self, Options, Pins, Replayer},
    runtime::RollbackTo,
    writ::WritChain,
};

/// The effects of a run that were not undone.
pub(super) struct Effects {
    open: Vec<Target>,
    /// Those of the runs below it.
    below: Vec<Target>,
    /// Every entry that may stay: its seq and id.
    entries: Vec<(u64, EntryId)>,
    /// The tools of outcomes and of dispatches.
    tools: HashMap<EntryId, String>,
    /// The tenant of the run's writ.
    pub(super) tenant: String,
    /// The presented chains under which something waits for approval.
    asking: Vec<WritChain>,
}

impl Effects {
    /// Replays a run and those below it, and finds what they left.
    pub(super) async fn of_all(store: &dyn LedgerStore, run: &TrajectoryId) -> Done<Self> {
        let mut effects = Self::read(store, run).await?;
        let lineage = replay::lineage(store, run, |_| Pins::default()).await?;
        for below in lineage.runs.iter().skip(1) {
            let Self { open, tools, asking, .. } = Self::read(store, &below.report.trajectory).await?;
            effects.below.extend(open);
            effects.tools.extend(tools);
            effects.asking.extend(asking);
        }
        Ok(effects)
    }

    async fn read(store: &dyn LedgerStore, run: &TrajectoryId) -> Done<Self> {
        let options = Options { effects: true, ..Options::default() };
        let (mut entries, mut tools) = (Vec::new(), HashMap::new());
        let visit = |entry: &Entry, _: &Replayer<'_>| {
            let id = entry.id();
            entries.push((entry.header.seq, id));
            if let Ok(Some(tool)) = tool(entry, &tools) {
                tools.insert(id, tool);
            }
        };
        let (_, folded) = replay::run(store, run, Pins { options, ..Pins::default() }, visit).await?;
        let tenant = folded.chain.leaf().tenant.clone();
        let waits = |chain: &WritChain| {
            folded.requests.waiting().iter().any(|request| request.pending.proposal.writ == chain.id())
        };
        let asking = folded.presented.iter().map(|presented| presented.chain.clone()).filter(waits).collect();
        Ok(Self { open: folded.effects.open().to_vec(), below: Vec::new(), entries, tools, tenant, asking })
    }

    /// The chain to a subject, still good, under which something waits for approval.
    pub(super) fn asked_under(&self, subject: &PublicKey, at_ms: u64) -> Option<WritChain> {
        let good = |chain: &&WritChain| {
            chain.leaf().subject.key == *subject && chain.links().all(|(_, writ)| writ.window.expires_at_ms > at_ms)
        };
        self.asking.iter().find(good).cloned()
    }

    /// The entry that stays.
    pub(super) fn place(&self, name: &str) -> Done<RollbackTo> {
        if name == "start" {
            return Ok(RollbackTo::Start);
        }
        let at = locate::among(&self.entries, name, |(seq, id)| (*seq, vec![id.to_string()]));
        match at.and_then(|at| self.entries.get(at)) {
            Some((_, id)) => Ok((*id).into()),
            None => Err(unknown(name).hint("`thymos audit` numbers the entries; `start` undoes all that the run did")),
        }
    }

    /// An effect that a user names; one of a run below by its id alone.
    pub(super) fn target(&self, name: &str) -> Done<EntryId> {
        let at = locate::among(&self.open, name, |target| (target.seq, vec![target.entry.to_string()]));
        let below = || locate::among(&self.below, name, |target| (u64::MAX, vec![target.entry.to_string()]));
        let found = at.and_then(|at| self.open.get(at)).or_else(|| self.below.get(below()?));
        found.map(|target| target.entry).ok_or_else(|| {
            let list: Vec<_> = self.open.iter().map(|target| format!("#{}", target.seq)).collect();
            unknown(name).hint(format_args!("to be undone are {}", list.join(", ")))
        })
    }

    /// The tool whose effect it is.
    pub(super) fn tool(&self, target: &Target) -> String {
        self.name(&target.entry)
    }

    /// The tool whose effect an entry says happened.
    pub(super) fn name(&self, effect: &EntryId) -> String {
        self.tools.get(effect).cloned().unwrap_or_default()
    }

    pub(super) fn json(&self, run: &TrajectoryId, target: &Target) -> Value {
        let undo = target.undo.as_ref().map(|undo| &undo.tool);
        json!({"run": run, "seq": target.seq, "entry": target.entry, "tool": self.tool(target), "undone_by": undo})
    }
}

fn unknown(name: &str) -> Failure {
    let shown: String = name.chars().take(80).collect();
    Failure::usage(format!("`{shown}` names no one entry of this run that can be meant here"))
}

/// The tool that an entry is about.
fn tool(entry: &Entry, known: &HashMap<EntryId, String>) -> Result<Option<String>, EntryError> {
    let of = |origin: Origin| match origin {
        Origin::Proposal(proposal) => Some(proposal.intent.target.to_string()),
        Origin::Dispatch(dispatch) => known.get(&dispatch).cloned(),
    };
    Ok(match entry.header.known_kind() {
        Some(Kind::Dispatch) => Some(entry.body::<Dispatch>()?.proposal.intent.target.to_string()),
        Some(Kind::Commit) => of(entry.body::<Commit>()?.origin),
        Some(Kind::Failure) => of(entry.body::<Failed>()?.origin),
        Some(Kind::InDoubtResolution) => {
            let resolution: crate::ledger::record::InDoubtResolution = entry.body()?;
            known.get(&resolution.dispatch).cloned()
        }
        _ => None,
    })
}
