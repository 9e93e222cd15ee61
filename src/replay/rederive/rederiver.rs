use std::collections::HashMap;

use super::{Difference, Differing, Gap, Part, Rederived, difference::read};
use crate::{
    approval::Request,
    canon::{Blob, Commitment, ContractHash, EntryId, TrajectoryId},
    compile::{Asked, COMPILER, Inputs, Standing, compile},
    contract::{ContractSet, ToolName},
    intent::{IntentRecord, SealedIntent},
    ledger::{
        AuthorityState, Entry,
        record::{Link, RunStart},
    },
    policy::PolicySet,
    proposal::{Decision, Proposal, Read, Status},
    replay::{
        AuthorityLog, FaultKind,
        record::Record,
        simulate::{Simulator, Verdict},
    },
    world::{Resource, World},
    writ::{Narrowing, WritChain},
};

/// Derives the decisions of one run again, as its entries go by.
///
/// It keeps what later decisions rest on and their own entries do not hold: the arguments of the last turn, those of proposals
/// that wait, and the contracts that are registered.
pub(in crate::replay) struct Rederiver {
    contracts: Result<ContractSet, Gap>,
    /// The contracts that were registered until the run was taken up last.
    before: Result<ContractSet, Gap>,
    branch: bool,
    /// Whether it is one whose parent's world is not at hand.
    afloat: bool,
    turn: HashMap<Commitment, Blob>,
    /// The arguments of proposals that wait, by the requests that say so.
    waiting: HashMap<EntryId, Option<Blob>>,
    denied: Vec<Denied>,
    pub(in crate::replay) rederived: Rederived,
    /// Decides everything once more with a change, where that is asked for.
    pub(in crate::replay) simulator: Option<Simulator>,
}

/// The arguments of a call that was denied.
struct Denied {
    tool: ToolName,
    args: Option<Blob>,
}

/// What a decision was made in, as the entries before it say.
pub(in crate::replay) struct Scene<'a> {
    pub(in crate::replay) log: &'a AuthorityLog,
    pub(in crate::replay) authority: &'a AuthorityState,
    pub(in crate::replay) trajectory: TrajectoryId,
    pub(in crate::replay) chain: &'a WritChain,
    pub(in crate::replay) world: &'a World,
    /// The request for approval that the intent waited on.
    pub(in crate::replay) request: Option<&'a Request>,
    /// What the skills that the run is bound to still allow.
    pub(in crate::replay) skills: &'a [Narrowing],
    /// The latest time on record of the run since the clock was reset.
    pub(in crate::replay) latest_ms: u64,
    /// Whether it may have been made before the run was taken up, by the entry in front of it.
    pub(in crate::replay) before_resumption: bool,
}

/// What a decision would be with the change that is simulated, where one is.
type Remade = Option<Result<Verdict, Gap>>;

/// Why a decision is not found to follow: what is not at hand, or not the same.
enum Not {
    AtHand(Gap),
    Same(Difference),
    Sealable,
}

impl From<Gap> for Not {
    fn from(gap: Gap) -> Self {
        Self::AtHand(gap)
    }
}

impl From<Differing> for Not {
    fn from(differing: Differing) -> Self {
        Self::Same(differing.into())
    }
}

impl Default for Rederiver {
    fn default() -> Self {
        Self {
            contracts: Ok(ContractSet::default()),
            before: Ok(ContractSet::default()),
            branch: false,
            afloat: false,
            turn: HashMap::new(),
            waiting: HashMap::new(),
            denied: Vec::new(),
            rederived: Rederived::default(),
            simulator: None,
        }
    }
}

impl Rederiver {
    /// The run began.
    pub(in crate::replay) fn started(&mut self, log: &AuthorityLog, start: &RunStart) {
        self.branch = matches!(start.start.from, Some(Link::Branch(_)));
        self.contracts = log.definitions().contracts(log, &start.contracts);
    }

    /// It is a branch, and the world that it starts from is not at hand.
    pub(in crate::replay) fn afloat(&mut self) {
        self.afloat = true;
    }

    /// The run was taken up with these contracts.
    pub(in crate::replay) fn resumed(&mut self, log: &AuthorityLog, contracts: &[ContractHash]) {
        let now = log.definitions().contracts(log, contracts);
        self.before = std::mem::replace(&mut self.contracts, now);
    }

    /// A turn was recorded, with the arguments of what it asked for.
    pub(in crate::replay) fn turn(&mut self, intents: &[IntentRecord], entry: &Entry) {
        let present = entry.present();
        let args = |intent: &IntentRecord| Some((intent.args, Blob::clone(present.get(&intent.args)?)));
        self.turn = intents.iter().filter_map(args).collect();
    }

    /// A decision was recorded: it has to follow.
    pub(in crate::replay) fn decided(
        &mut self,
        proposal: &Proposal,
        entry: &Entry,
        scene: &Scene<'_>,
    ) -> Result<(), FaultKind> {
        let waited = scene.request.and_then(|request| self.waiting.remove(&request.entry)).flatten();
        let found = entry.blob(&proposal.intent.args).or_else(|| self.turn.get(&proposal.intent.args));
        let args = found.cloned().or(waited);
        let decision = &proposal.decision;
        let simulated = match self.derive(proposal, args.as_ref(), scene) {
            Ok(simulated) => {
                let derived = &mut self.rederived;
                *if decision.rests_on_code() { &mut derived.asserted } else { &mut derived.derived } += 1;
                simulated
            }
            Err(Not::AtHand(gap)) => {
                *self.rederived.not_derived.entry(gap).or_default() += 1;
                Some(Err(gap))
            }
            Err(Not::Same(difference)) => return Err(FaultKind::Decision(Box::new(difference))),
            Err(Not::Sealable) => return Err(FaultKind::Proposal),
        };
        if let (Some(simulator), Some(simulated)) = (&mut self.simulator, simulated) {
            let request = scene.request.map(|request| request.entry);
            simulator.decided(proposal, (entry.id(), entry.header.seq), request, simulated);
        }
        if matches!(decision.status, Status::Suspended { .. }) {
            self.waiting.insert(entry.id(), args);
        }
        Ok(())
    }

    /// A request was denied, or came to nothing.
    pub(in crate::replay) fn ended(&mut self, request: &Request, denied: bool) {
        let args = self.waiting.remove(&request.entry).flatten();
        if let Some(simulator) = &mut self.simulator {
            simulator.ended(&request.entry);
        }
        if denied {
            self.denied.push(Denied { tool: request.pending.proposal.intent.target.clone(), args });
        }
    }

    /// An entry is about to be checked.
    pub(in crate::replay) fn begin(&mut self) {
        self.simulator.iter_mut().for_each(Simulator::begin);
    }

    /// An entry was checked.
    pub(in crate::replay) fn passed(&mut self, id: EntryId, seq: u64, record: &Record) {
        self.simulator.iter_mut().for_each(|simulator| simulator.passed(id, seq, record));
    }

    /// Derives a decision, and what it would be with the change that is simulated.
    fn derive(&self, proposal: &Proposal, args: Option<&Blob>, scene: &Scene<'_>) -> Result<Remade, Not> {
        let decision = &proposal.decision;
        if decision.compiler != COMPILER {
            return Err(Gap::Compiler(decision.compiler).into());
        }
        if cfg!(not(feature = "schema")) && !decision.asserted_schema {
            return Err(Gap::Schema.into());
        }
        if self.afloat {
            return Err(Gap::Branch.into());
        }
        let policies = scene.log.definitions().policies(scene.log, decision.policy_set)?;
        let erased = |value: Option<&Resource>| value.is_some_and(|resource| resource.value.is_none());
        if policies.resources().any(|resource| erased(scene.world.get(resource))) {
            return Err(Gap::Erased.into());
        }
        let args = args.ok_or(Gap::Erased)?;
        let intent = SealedIntent::with_args(proposal.intent.clone(), args.clone())
            .map_err(|error| Differing::new(Part::Arguments, error, "sealed JSON"))?;
        check_clock(decision, scene)?;
        check_reads(decision, scene.world)?;
        self.check_denied(proposal, &intent, scene)?;
        let follows = |contracts| self.follows(proposal, &intent, contracts, &policies, scene);
        match follows(self.contracts.as_ref().map_err(|gap| *gap)?) {
            Err(Not::Same(difference)) if scene.before_resumption => match &self.before {
                Ok(before) => follows(before).map_err(|_| Not::Same(difference)),
                Err(gap) => Err((*gap).into()),
            },
            found => found,
        }
    }

    /// A call is told the votes that denied one like it before, and no other is. Whether one is like a call whose arguments are
    /// erased cannot be told.
    fn check_denied(&self, proposal: &Proposal, intent: &SealedIntent, scene: &Scene<'_>) -> Result<(), Not> {
        let of_tool = || self.denied.iter().filter(|denied| denied.tool == proposal.intent.target);
        let same = |args: &Blob| args.value().is_ok_and(|args| args == *intent.args());
        let was = of_tool().any(|denied| denied.args.as_ref().is_some_and(same));
        let decision = &proposal.decision;
        let own = scene.request.map_or(0, |request| request.evidence(scene.authority, decision.now_ms).len());
        let is = decision.approvals.len() > own;
        if was == is {
            return Ok(());
        }
        if of_tool().any(|denied| denied.args.is_none()) {
            return Err(Gap::Erased.into());
        }
        let told = |denied| if denied { "a call like it was denied" } else { "no call like it was denied" };
        Err(Differing::new(Part::Approvals, told(is), told(was)).into())
    }

    /// Compiles again, and compares.
    fn follows(
        &self,
        proposal: &Proposal,
        intent: &SealedIntent,
        contracts: &ContractSet,
        policies: &PolicySet,
        scene: &Scene<'_>,
    ) -> Result<Remade, Not> {
        let decision = &proposal.decision;
        let denied: Vec<_> = self.denied.iter().map(|denied| denied.tool.clone()).collect();
        let inputs = Inputs {
            approvals: &decision.approvals,
            balances: &decision.balances,
            branch: self.branch,
            contracts,
            denied: &denied,
            earlier: scene.request.map(|request| &*request.pending.proposal),
            intent,
            policies,
            recorded: Some(decision),
            roster: scene.authority.roster.as_ref().map(|record| &record.roster),
            skills: scene.skills,
            standing: Standing {
                chain: scene.chain,
                clock_ms: decision.clock_ms.unwrap_or(decision.now_ms),
                now_ms: decision.now_ms,
                revoked: &scene.authority.revoked,
                store: scene.log.store(),
                trust: &scene.authority.trust,
            },
            trajectory: scene.trajectory,
            world: scene.world,
        };
        let asked = decision.quote.clone().map(|quote| Asked { claim: decision.claim, quote });
        let derived = compile(&inputs, asked).map_err(|_| Not::Sealable)?.into_proposal();
        if let Some(difference) = Difference::between(proposal, &derived, policies) {
            return Err(Not::Same(difference));
        }
        let request = scene.request.map(|request| request.entry);
        let simulate = |simulator: &Simulator| simulator.decide(&inputs, decision, request);
        self.simulator.as_ref().map(simulate).transpose().map_err(|_| Not::Sealable)
    }
}

/// The time that a decision was judged at is the later of the clock and the latest time on record.
fn check_clock(decision: &Decision, scene: &Scene<'_>) -> Result<(), Differing> {
    let Decision { clock_ms, now_ms, .. } = decision;
    let latest_ms = if scene.before_resumption { 0 } else { scene.latest_ms };
    let latest_ms = latest_ms.max(clock_ms.unwrap_or(0));
    if latest_ms > *now_ms {
        return Err(Differing::new(Part::Clock, format!("{now_ms} ms"), format!("{latest_ms} ms or later")));
    }
    Ok(())
}

/// What a tool would read is as it is in the world.
fn check_reads(decision: &Decision, world: &World) -> Result<(), Differing> {
    let in_world = |read: &Read| {
        let found = world.get(&read.resource);
        let (value, version) = (found.map(|found| found.commitment), found.map_or(0, |found| found.version));
        Read { resource: read.resource.clone(), value, version }
    };
    for recorded in decision.quote.iter().flat_map(|quote| &quote.reads) {
        let found = in_world(recorded);
        if found != *recorded {
            return Err(Differing::new(Part::Reads, read(recorded), read(&found)));
        }
    }
    Ok(())
}
