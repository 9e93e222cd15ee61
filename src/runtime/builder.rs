use std::{sync::Arc, time::Duration};

use super::{
    Runtime,
    accounts::Accounts,
    authority::Authority,
    calls::Calls,
    clock::latest_time,
    core::{Core, Place, seal},
    delegation::Subjects,
    error::RunError,
    in_force::reading,
    rotate::{self, RotateError},
    secrets::Plaintexts,
};
use crate::{
    canon::{EntryId, Nonce},
    crypto::{NamedKey, PublicKey, Role},
    host::{Host, SecretStore, Signer},
    ledger::{
        AuthorityState, Batch, Draft, Kind, LedgerStore, Position, RegisterKey, RegisterOp, StoreError,
        record::{ContractRecord, Genesis, TrustChange, TrustRoot},
        register::{Epoch, seq_bytes},
    },
    policy::{PolicySet, VerifiedRoster},
    redact::Redactor,
    replay::{Contracts, ReplayError, authority_of},
    tool::{RegisterError, ToolContract, ToolRegistry},
};

/// How many entries of a run may follow its last snapshot, where the host says nothing else.
const SNAPSHOT_EVERY: u64 = 4_096;
/// How long a request for approval waits for votes, where the host says nothing else.
const APPROVALS_WITHIN: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Composes a [`Runtime`].
///
/// A ledger has to be chosen, and a key that signs its entries, unless [`unsigned`](Self::unsigned) says otherwise.
/// Nothing else is given: no tool, no trusted key, no rule, and the gates of [`crate::policy::Gates::default`].
#[derive(Default)]
pub struct Builder {
    ledger: Option<Arc<dyn LedgerStore>>,
    signer: Option<(String, Arc<dyn Signer>)>,
    unsigned: bool,
    trust: Vec<(NamedKey, Vec<Role>)>,
    tools: Vec<Arc<dyn ToolContract>>,
    policies: PolicySet,
    roster: Option<VerifiedRoster>,
    redactor: Redactor,
    host: Host,
    replaced: Vec<Arc<dyn Signer>>,
    root: Option<Arc<dyn Signer>>,
    authority_only: bool,
    snapshot_every: Option<u64>,
    approvals_within: Option<Duration>,
    subjects: Option<Subjects>,
}

/// Why a runtime could not be composed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No ledger was chosen.
    #[error("no ledger: choose one with `Builder::ledger`")]
    NoLedger,
    /// No key was given, and unsigned entries were not asked for.
    #[error("no key to sign entries with: give one with `Builder::signer`, or ask for `Builder::unsigned`")]
    NoSigner,
    /// A tool cannot be registered.
    #[error(transparent)]
    Tool(#[from] RegisterError),
    /// A rule does not fit the tools, or a bundle is signed by a key that is not trusted.
    #[error("policy: {0}")]
    Policy(String),
    /// The roster is signed by a key that is not trusted.
    #[error("roster: {issuer} is not trusted as policy issuer")]
    Roster {
        /// Who signed it.
        issuer: Box<PublicKey>,
    },
    /// The ledger is signed by another key, or not signed.
    #[error(
        "the ledger's entries are signed by {ledger}, and this runtime signs with {runtime}: open it with the ledger's key, or \
         have that replaced: by itself with `Builder::rotate_from`, by a root with `Builder::rotate_by` when it is lost"
    )]
    WrongKey {
        /// The ledger's key.
        ledger: String,
        /// The runtime's key.
        runtime: String,
    },
    /// The ledger's key could not be replaced.
    #[error(transparent)]
    Rotate(#[from] RotateError),
    /// The authority trajectory does not verify.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The ledger or a key failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl From<StoreError> for BuildError {
    fn from(error: StoreError) -> Self {
        Self::Run(error.into())
    }
}

impl Builder {
    /// Chooses the ledger.
    #[must_use]
    pub fn ledger(self, ledger: impl LedgerStore + 'static) -> Self {
        self.shared_ledger(Arc::new(ledger))
    }

    /// Chooses a ledger that others hold too, to read it. Only one runtime at a time may write to a store: it keeps the
    /// accounts of its budgets.
    #[must_use]
    pub fn shared_ledger(mut self, ledger: Arc<dyn LedgerStore>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// Gives the key that signs entries, and the name that audits show for it.
    #[must_use]
    pub fn signer(mut self, name: impl Into<String>, signer: impl Signer + 'static) -> Self {
        self.signer = Some((name.into(), Arc::new(signer)));
        self
    }

    /// Gives a key that the builder's own one replaces: a ledger that it still signs is opened, and the replacement recorded.
    /// May be called for several keys.
    #[must_use]
    pub fn rotate_from(mut self, replaced: impl Signer + 'static) -> Self {
        self.replaced.push(Arc::new(replaced));
        self
    }

    /// Gives a trusted writ issuer's key that replaces the ledger's key by the builder's own when the ledger's is lost: the
    /// replacement is recorded when the ledger is opened. Where [`rotate_from`](Self::rotate_from) will do, that is done.
    #[must_use]
    pub fn rotate_by(mut self, root: impl Signer + 'static) -> Self {
        self.root = Some(Arc::new(root));
        self
    }

    /// Opens the ledger for what belongs to no run: to revoke, rotate and reset. Policies and contracts stay as they are
    /// recorded, and no run can be started.
    #[must_use]
    pub fn authority_only(mut self) -> Self {
        self.authority_only = true;
        self
    }

    /// Sets how many entries of a run may follow its last snapshot, 4,096 by default. In a run whose world has many resources
    /// it is eight times as many as those, so that snapshots stay small beside the entries.
    ///
    /// A run is taken up from its last snapshot on, which the runtime's key vouches for. With 0 none are taken or used: a run
    /// is taken up from its first entry on.
    #[must_use]
    pub fn snapshot_every(mut self, entries: u64) -> Self {
        self.snapshot_every = Some(entries);
        self
    }

    /// Runs without signing entries. Whoever can write the ledger's storage can then rewrite history.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.unsigned = true;
        self
    }

    /// Trusts a key in these roles. The keys named here are all that are trusted: others that the ledger trusts lose
    /// their roles, and both changes are recorded.
    #[must_use]
    pub fn trust(mut self, key: NamedKey, roles: impl IntoIterator<Item = Role>) -> Self {
        self.trust.push((key, roles.into_iter().collect()));
        self
    }

    /// Registers a tool.
    #[must_use]
    pub fn tool(self, tool: impl ToolContract + 'static) -> Self {
        self.tools([Arc::new(tool) as Arc<dyn ToolContract>])
    }

    /// Registers tools.
    #[must_use]
    pub fn tools(mut self, tools: impl IntoIterator<Item = Arc<dyn ToolContract>>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// Sets the policies; without them only the default gates narrow a writ.
    #[must_use]
    pub fn policies(mut self, policies: PolicySet) -> Self {
        self.policies = policies;
        self
    }

    /// Sets who may approve, by channel. Without it the roster that the ledger has stays in force; where it has none, one
    /// approval is enough on every channel, of any key that is trusted as approver.
    #[must_use]
    pub fn roster(mut self, roster: VerifiedRoster) -> Self {
        self.roster = Some(roster);
        self
    }

    /// Sets how long a request for approval waits for votes, seven days by default; nobody can answer it afterwards.
    #[must_use]
    pub fn approvals_within(mut self, within: Duration) -> Self {
        self.approvals_within = Some(within);
        self
    }

    /// Lets runs delegate: registers the contract [`delegate`](crate::contract::Contract::delegate), and holds the keys that the writs
    /// of children are signed with.
    #[must_use]
    pub fn delegation(mut self, subjects: Subjects) -> Self {
        self.subjects = Some(subjects);
        self
    }

    /// Sets the ports to the machine: clock, timer, threads, entropy.
    #[must_use]
    pub fn host(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    /// Sets where the secrets are that arguments name by handle; of the [`host`](Self::host) that is set so far.
    #[must_use]
    pub fn secrets(mut self, secrets: impl SecretStore + 'static) -> Self {
        self.host.secrets = Arc::new(secrets);
        self
    }

    /// Sets what finds secrets before anything is sealed or shown; without it, all built-in rules do.
    #[must_use]
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Opens the ledger, creating its authority trajectory when it is new, and records what has changed in trust, policies
    /// and contracts.
    ///
    /// # Errors
    /// When something is missing or does not fit, or the ledger fails or does not verify.
    pub async fn open(self) -> Result<Runtime, BuildError> {
        let store = self.ledger.ok_or(BuildError::NoLedger)?;
        let named = self.signer.as_ref().map(|(name, signer)| NamedKey::new(name.clone(), signer.public_key()));
        if named.is_none() && !self.unsigned {
            return Err(BuildError::NoSigner);
        }
        let signer = self.signer.map(|(_, signer)| signer);
        let mut tools = ToolRegistry::default();
        for tool in self.tools {
            tools.register(tool)?;
        }
        let subjects = match self.subjects {
            Some(subjects) => {
                tools.register_delegation()?;
                subjects.drawn(&*self.host.entropy).map_err(RunError::from)?
            }
            None => Subjects::default(),
        };
        let issues_policies = |key: &PublicKey| {
            self.trust.iter().any(|(named, roles)| named.key == *key && roles.contains(&Role::PolicyIssuer))
        };
        if let Some(issuer) = self.roster.as_ref().map(VerifiedRoster::issuer).filter(|issuer| !issues_policies(issuer))
        {
            return Err(BuildError::Roster { issuer: Box::new(issuer) });
        }
        for signed in self.policies.definition().signed() {
            let issuer = signed.issuer_pubkey;
            if !issues_policies(&issuer) {
                let bundle = &signed.policy.name;
                return Err(BuildError::Policy(format!("bundle `{bundle}`: {issuer} is not trusted as policy issuer")));
            }
        }
        self.policies.check(tools.contracts()).map_err(|faults| {
            BuildError::Policy(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        if store.scan(Position(0), 1).await?.is_empty() {
            create(&*store, &self.host, named.clone(), signer.as_deref()).await?;
        }
        let log = authority_of(&*store, None, Contracts::Of(&[])).await?;
        let state = log.state().clone();
        let ledger_key = state.runtime_key().map(|named| named.key);
        let succession = match (ledger_key, &named) {
            (Some(ledger), Some(ours)) if ledger != ours.key => {
                let old = self.replaced.iter().find(|signer| signer.public_key() == ledger);
                let root = self.root.iter().find(|root| state.trust.has(&root.public_key(), Role::WritIssuer));
                let by = old.or(root).ok_or_else(|| wrong_key(&state, Some(ours)))?;
                Some((Arc::clone(by), rotate::succession(log.store(), ledger, ours.clone())))
            }
            (ledger, ours) if ledger != ours.as_ref().map(|named| named.key) => {
                return Err(wrong_key(&state, ours.as_ref()));
            }
            _ => None,
        };
        let trajectory = AuthorityState::trajectory(log.store());
        let head = store.head(&trajectory).await?.ok_or(ReplayError::Empty)?;
        let mark_ms = latest_time(&*store).await?;
        let held = signer.into_iter().chain(succession.iter().map(|(by, _)| Arc::clone(by))).collect();
        let core = Core {
            accounts: Accounts::default(),
            calls: Calls::default(),
            authority: Authority::new(trajectory, state, mark_ms, head, held, self.trust.clone()),
            host: self.host,
            plaintexts: Plaintexts::default(),
            policies: self.policies,
            redactor: self.redactor,
            request_valid_ms: u64::try_from(self.approvals_within.unwrap_or(APPROVALS_WITHIN).as_millis())
                .unwrap_or(u64::MAX),
            runs: !self.authority_only,
            snapshot_every: self.snapshot_every.unwrap_or(SNAPSHOT_EVERY),
            store,
            store_id: log.store(),
            subjects,
            tools,
        };
        if let Some((by, statement)) = succession {
            let draft = rotate::draft(statement, &*by).await?;
            core.authority.append(&core, vec![draft], vec![], |_| vec![]).await?;
        }
        record_changes(&core, &self.trust, self.roster.as_ref()).await?;
        Ok(Runtime(Arc::new(core)))
    }
}

fn wrong_key(state: &AuthorityState, ours: Option<&NamedKey>) -> BuildError {
    let text = |key: Option<&NamedKey>| key.map_or("no key".into(), |named| named.key.to_string());
    BuildError::WrongKey { ledger: text(state.runtime_key()), runtime: text(ours) }
}

/// Writes the genesis entry of a new store.
async fn create(
    store: &dyn LedgerStore,
    host: &Host,
    runtime: Option<NamedKey>,
    signer: Option<&dyn Signer>,
) -> Result<(), RunError> {
    let mut nonce = Nonce([0; 16]);
    host.entropy.fill(&mut nonce.0)?;
    let software = concat!("openthymos ", env!("CARGO_PKG_VERSION")).to_owned();
    let draft = Draft::seal(Kind::Genesis, &Genesis { nonce, runtime, software }, vec![])?;
    let store_id = AuthorityState::store_id(&draft.record);
    let place = Place {
        trajectory: AuthorityState::trajectory(store_id),
        seq: 0,
        parent: EntryId::ZERO,
        authority: EntryId::ZERO,
        base_seq: 0,
        time_ms: reading(&*host.clock),
    };
    let (entry, id) = seal(store_id, signer, place, draft).await?;
    let value = Some(Epoch { entry: id, seq: 0 }.to_bytes());
    let key = RegisterKey::epoch;
    let registers = vec![RegisterOp::Expect { key: key(), value: None }, RegisterOp::Set { key: key(), value }];
    store.append(Batch { entries: vec![entry], registers }).await?;
    Ok(())
}

/// Records how trust, policies and contracts differ from what the ledger has.
async fn record_changes(
    core: &Core,
    trust: &[(NamedKey, Vec<Role>)],
    roster: Option<&VerifiedRoster>,
) -> Result<(), RunError> {
    let state = core.authority.state();
    let mut drafts = Vec::new();
    let mut change = |root: NamedKey, roles: Vec<Role>, change| {
        if roles.is_empty() {
            return Ok(());
        }
        Draft::seal(Kind::TrustRoot, &TrustRoot { change, root, roles }, vec![]).map(|draft| drafts.push(draft))
    };
    for (key, roles) in trust {
        let new = roles.iter().copied().filter(|role| !state.trust.has(&key.key, *role)).collect();
        change(key.clone(), new, TrustChange::Added)?;
    }
    let wanted =
        |key: &PublicKey, role: Role| trust.iter().any(|(named, roles)| named.key == *key && roles.contains(&role));
    for role in Role::ALL {
        for key in state.trust.keys(*role).filter(|key| !wanted(key, *role)) {
            change(NamedKey::new("no longer trusted", *key), vec![*role], TrustChange::Removed)?;
        }
    }
    if core.runs && state.policy_set != Some(core.policies.hash()) {
        drafts.push(rotate::policy_set(&core.policies)?);
    }
    let in_force = state.roster.as_ref().map(|record| (&record.roster, record.signed_by));
    if let Some(roster) = roster.filter(|roster| in_force != Some((roster.roster(), roster.issuer()))) {
        drafts.push(rotate::roster(roster)?);
    }
    let mut keys = Vec::new();
    for contract in core.tools.contracts().iter().filter(|_| core.runs) {
        let hash = contract.hash();
        let key = RegisterKey::contract(&hash);
        if core.store.register(&key).await?.is_none() {
            let record = ContractRecord { definition: crate::contract::Contract::clone(contract), hash };
            keys.push((drafts.len() as u64, key));
            drafts.push(Draft::seal(Kind::Contract, &record, vec![])?);
        }
    }
    if drafts.is_empty() {
        return Ok(());
    }
    let registers = |first: u64| {
        let set = |(index, key): (u64, RegisterKey)| RegisterOp::Set { key, value: Some(seq_bytes(first + index)) };
        keys.into_iter().map(set).collect()
    };
    core.authority.append(core, drafts, vec![], registers).await
}
