//! Staged → delegation entry and the child's root, in one batch; and what the child gave back.

use std::sync::Arc;

use futures::future::BoxFuture;
use zeroize::Zeroizing;

use super::{
    Run,
    accounts::begin_totals,
    authority::expect_epoch,
    call::Called,
    core::{Core, Placed},
    error::RunError,
    events::EventKind,
    in_force::InForce,
    journal::Journal,
    run::Inner,
    submit::{Again, Attempt, Submission, Submitted},
};
use crate::{
    canon::{EntryId, IntentId, TrajectoryId, domain},
    commit::Origin,
    compile::Staged,
    crypto::{NamedKey, Purpose, SecretKey},
    host::{Entropy, EntropyError, Signer},
    ledger::{
        Draft, Kind, LedgerStore, RegisterKey, RegisterOp, StoreError,
        record::{BranchStart, Delegated, Link, RunOpened, RunStart, StartStatement},
        register::{seq_bytes, seq_of},
    },
    proposal::ChildQuote,
    writ::{Amounts, SignedWrit},
};

/// The keys that sign the writs of children.
///
/// A child's writ is issued by the subject of its parent's. The key of a run that somebody started has to be given; those of children
/// are derived, each from a secret and from what started it.
#[derive(Clone, Default)]
pub struct Subjects {
    held: Vec<Arc<dyn Signer>>,
    secret: Option<Zeroizing<[u8; 32]>>,
}

impl Subjects {
    /// Holds the key of a writ's subject: what runs under that writ may delegate, as far as the writ says so.
    #[must_use]
    pub fn key(mut self, signer: impl Signer + 'static) -> Self {
        self.held.push(Arc::new(signer));
        self
    }

    /// Sets the secret that the keys of children are derived from. With the same secret, children that another process started can
    /// have children of their own; without one, a secret is drawn for the process.
    #[must_use]
    pub fn secret(mut self, secret: [u8; 32]) -> Self {
        self.secret = Some(Zeroizing::new(secret));
        self
    }

    /// As it is used: with a secret.
    pub(super) fn drawn(mut self, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        if self.secret.is_none() {
            let mut secret = Zeroizing::new([0; 32]);
            entropy.fill(secret.as_mut_slice())?;
            self.secret = Some(secret);
        }
        Ok(self)
    }

    /// The key of the child that an intent of a run asks for.
    fn of_child(&self, parent: &TrajectoryId, intent: &IntentId) -> Option<SecretKey> {
        let secret = self.secret.as_ref()?;
        let parts = [secret.as_slice(), parent.as_bytes().as_slice(), intent.as_bytes().as_slice()];
        Some(SecretKey::from_seed(&Zeroizing::new(domain::RUN_SECRET.hash(&parts))))
    }

    /// The key of the subject of a run's writ, if it is at hand.
    fn of_run(&self, journal: &Journal) -> Option<Arc<dyn Signer>> {
        let subject = journal.chain.leaf().subject.key;
        if let Some(held) = self.held.iter().find(|signer| signer.public_key() == subject) {
            return Some(Arc::clone(held));
        }
        let Some(Link::Delegation { intent, trajectory }) = &journal.lineage.from else { return None };
        let derived = self.of_child(trajectory, intent).filter(|key| key.public_key() == subject)?;
        Some(Arc::new(derived))
    }
}

/// Where a run stands among those that come of one.
#[derive(Debug, Clone)]
pub(super) struct Lineage {
    /// The run at the top.
    pub(super) top: TrajectoryId,
    /// How many generations it is above this one.
    pub(super) generation: u32,
    /// What it comes from itself.
    pub(super) from: Option<Link>,
}

impl Lineage {
    /// Whether the run is a branch of another one.
    pub(super) fn is_branch(&self) -> bool {
        matches!(self.from, Some(Link::Branch(_)))
    }

    /// That of a run that somebody started.
    pub(super) fn top(run: TrajectoryId) -> Self {
        Self { top: run, generation: 0, from: None }
    }

    /// That of a run that starts so, found by going up from root to root.
    pub(super) async fn of(
        store: &dyn LedgerStore,
        start: &StartStatement,
        run: TrajectoryId,
    ) -> Result<Self, RunError> {
        let mut lineage = Self { from: start.from.clone(), ..Self::top(run) };
        let mut from = start.from.clone();
        while let Some(above) = from {
            (lineage.top, lineage.generation) = match above {
                Link::Delegation { trajectory, .. } => (trajectory, lineage.generation.saturating_add(1)),
                Link::Branch(point) => (point.trajectory, lineage.generation),
            };
            let root = store.read(&lineage.top, 0, 1).await?.into_iter().next();
            let root = root.ok_or_else(|| StoreError::Damaged(format!("run {} is gone", lineage.top.short())))?;
            from = match root.header.known_kind() {
                Some(Kind::Branch) => root.body::<BranchStart>()?.run.start.from,
                _ => root.body::<RunStart>()?.start.from,
            };
        }
        Ok(lineage)
    }
}

/// What there is around a child that an intent asks for. Nothing when the key that signs its writ is not at hand.
pub(super) async fn quote(
    core: &Core,
    journal: &Journal,
    intent: IntentId,
) -> Result<Option<Box<ChildQuote>>, RunError> {
    let Some(key) = core.subjects.of_run(journal).and_then(|_| core.subjects.of_child(&journal.trajectory, &intent))
    else {
        return Ok(None);
    };
    let name = format!("child {} of {}", intent.short(), journal.trajectory.short());
    Ok(Some(Box::new(ChildQuote {
        children: journal.children.count(),
        descendants: descendants(core, journal).await?,
        generation: journal.lineage.generation.saturating_add(1),
        subject: NamedKey::new(name, key.public_key()),
    })))
}

async fn descendants(core: &Core, journal: &Journal) -> Result<u64, StoreError> {
    match core.store.register(&RegisterKey::descendants(&journal.lineage.top)).await? {
        Some(value) => seq_of(&value),
        None => Ok(0),
    }
}

/// Starts the child of a staged delegation, for which its cost is reserved. Boxed, as appending is.
pub(super) fn start<'a>(
    inner: &'a Inner,
    journal: &'a mut Journal,
    authority: &'a InForce,
    asked: Submission<'a>,
    staged: Box<Staged>,
) -> BoxFuture<'a, Result<Attempt, RunError>> {
    Box::pin(async move {
        let held = staged.quote().cost;
        let error = match begin(inner, journal, authority, asked, &staged).await {
            Ok(submitted) => return Ok(Ok(submitted)),
            Err(error) => error,
        };
        // What may have been stored stays held until the run is taken up again.
        if !error.is_unclear() {
            journal.release(&inner.core, &held);
        }
        match error {
            RunError::Store(StoreError::RegisterChanged { key }) if key == RegisterKey::epoch() => {
                inner.core.authority.after(&inner.core, authority).await?;
                Ok(Err(Again::Changed))
            }
            RunError::Store(StoreError::RegisterChanged { key })
                if key == RegisterKey::descendants(&journal.lineage.top) =>
            {
                Ok(Err(Again::Changed))
            }
            error => Err(error),
        }
    })
}

async fn begin(
    inner: &Inner,
    journal: &mut Journal,
    authority: &InForce,
    asked: Submission<'_>,
    staged: &Staged,
) -> Result<Submitted, RunError> {
    let (core, intent) = (&inner.core, asked.intent);
    let missing = || RunError::from(StoreError::Damaged("a staged delegation has neither child nor key".into()));
    let (Some(child), Some(quoted)) = (staged.child(), staged.quote().child.as_deref()) else { return Err(missing()) };
    let signer = core.subjects.of_run(journal).ok_or_else(missing)?;
    let key = core.subjects.of_child(&journal.trajectory, &intent.id()).ok_or_else(missing)?;
    let signature = signer.sign(Purpose::Writ, child.writ_id.as_bytes()).await?;
    let chain = journal.chain.extend(SignedWrit { signature, writ: child.writ.clone() })?;
    let statement = StartStatement::of_child(
        core.store_id,
        journal.trajectory,
        (intent.id(), intent.record().nonce),
        child.task.commitment(),
        chain.id(),
    );
    let run = statement.trajectory()?;
    let start = RunStart {
        chain: chain.signed().to_vec(),
        contracts: core.tools.contracts().hashes(),
        policy_set: core.policies.hash(),
        signature: key.sign(Purpose::Start, run.as_bytes()),
        start: statement,
    };
    core.accounts.load(&*core.store, &chain).await?;
    let totals = begin_totals(&*core.store, &chain).await?;

    let now_ms = core.now(authority).judged_ms;
    let granted = child.writ.budget;
    let delegated = Delegated { child: run, granted, origin: Origin::Proposal(staged.shared()) };
    let draft = Draft::seal_named(Kind::Delegation, &delegated, intent.blobs().cloned().collect())?;
    let record = draft.record.clone();
    let signing = authority.signing()?;
    let entry = Placed::of(core.store_id, signing, journal.place(authority, now_ms), draft);
    let root = Draft::seal(Kind::Root, &start, vec![child.task.clone()])?;
    let mut place = journal.place(authority, now_ms);
    (place.trajectory, place.seq, place.parent, place.base_seq) = (run, 0, EntryId::ZERO, 0);
    let root = Placed::of(core.store_id, signing, place, root);
    let (id, head, seq) = (entry.id, root.id, journal.next_seq);
    let entries = vec![entry.signed().await?, root.signed().await?];
    let opened = Draft::seal(Kind::RunOpened, &RunOpened { trajectory: run, writ: chain.id() }, vec![])?;

    let (before, held) = (journal.used, staged.quote().cost);
    journal.used.spent = before.spent.plus(&held);
    let called = Called {
        proposal: staged.id(),
        key: None,
        request: asked.waited_at(),
        may_come_again: asked.may_come_again,
        compensates: None,
    };
    let counted = RegisterKey::descendants(&journal.lineage.top);
    let was = (quoted.descendants > 0).then(|| seq_bytes(quoted.descendants));
    let mut registers = journal.account();
    registers.extend(called.done_at_once(journal, false));
    registers.extend(totals);
    registers.extend([
        expect_epoch(authority),
        RegisterOp::Expect { key: counted.clone(), value: was },
        RegisterOp::Set { key: counted, value: Some(seq_bytes(quoted.descendants.saturating_add(1))) },
    ]);
    let registers = |opened| {
        registers.push(RegisterOp::Set { key: RegisterKey::opened(&run), value: Some(seq_bytes(opened)) });
        registers
    };
    if let Err(error) = core.authority.append(core, vec![opened], entries, registers).await {
        journal.used = before;
        return Err(match error {
            RunError::Store(error) => journal.not_stored(error),
            error => error,
        });
    }
    journal.took(core, id, (Kind::Delegation, &record));
    if let Err(fault) = journal.children.delegated((core.store_id, journal.trajectory), (id, seq), &delegated) {
        journal.stale = true;
        return Err(fault.into());
    }
    journal.settle(core, &held, &held);
    asked.decided(journal);
    let tenure = core.accounts.open((run, None), &chain, Amounts::ZERO);
    let lineage = Lineage { top: journal.lineage.top, generation: quoted.generation, from: start.start.from };
    let child = Journal { lineage, ..Journal::new(run, chain, head, tenure) };
    inner.children.keep(Run::below(inner, child));
    inner.watchers.tell(Some((seq, id)), || EventKind::Delegated { intent: intent.id(), child: run });
    Ok(Submitted::Delegated { entry: id, seq, child: run })
}
