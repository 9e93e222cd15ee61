//! The blast radius is the transitive closure over what commits read and changed, as a small model has it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures::executor::block_on;
use openthymos::{
    commit::Delta,
    contract::{Contract, Touches},
    replay::simulate::{Because, Found},
    runtime::Submitted,
    tool::{Call, ToolContract, ToolError, ToolOutput},
    world::ResourceId,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{common::*, deny, rule, simulated, with_rules};

const RESOURCES: [&str; 4] = ["a", "b", "c", "d"];
const TOOLS: [(&str, Touches); 3] = [("one", Touches::World), ("two", Touches::World), ("host", Touches::Host)];

/// Reads and changes what its arguments say, at the versions that they say: it may change what it did not read.
struct Mover(Contract);

fn listed(args: &Value, member: &str) -> Vec<String> {
    args[member].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[async_trait]
impl ToolContract for Mover {
    fn contract(&self) -> Contract {
        self.0.clone()
    }

    fn reads(&self, args: &Value) -> Vec<ResourceId> {
        listed(args, "reads").iter().map(|id| kv(id)).collect()
    }

    async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
        let changes = call.args["changes"].as_array().cloned().unwrap_or_default();
        let delta = changes.iter().fold(Delta::none(), |delta, change| {
            let (id, version) = (kv(change["id"].as_str().unwrap()), change["version"].as_u64().unwrap());
            match (version, change["delete"].as_bool()) {
                (0, _) => delta.create(id, json!(1)),
                (version, Some(true)) => delta.delete(id, version),
                (version, _) => delta.replace(id, version, json!(version)),
            }
        });
        Ok(ToolOutput::new("moved").with_delta(delta))
    }
}

fn mover((name, touches): (&str, Touches)) -> Mover {
    let mut contract = TestTool::world(name).contract;
    contract.touches = touches;
    contract.schema = json!({"type": "object"});
    Mover(contract)
}

#[derive(Debug, Clone)]
struct Step {
    tool: usize,
    reads: BTreeSet<usize>,
    /// Resources to change, and whether to delete them where they are there.
    changes: BTreeMap<usize, bool>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reads = prop::collection::btree_set(0..RESOURCES.len(), 0..3);
    let changes = prop::collection::btree_map(0..RESOURCES.len(), prop::bool::weighted(0.2), 0..3);
    let step = (0..TOOLS.len(), reads, changes).prop_map(|(tool, reads, changes)| Step { tool, reads, changes });
    prop::collection::vec(step, 1..16)
}

/// A commit as the model knows it: its tool, and the commits whose work it found.
struct Known {
    seq: u64,
    tool: usize,
    found: BTreeSet<usize>,
}

/// Carries out what can be carried out, and keeps which commit left each resource as it is.
fn play(fixture: &Fixture, steps: &[Step]) -> Vec<Known> {
    let mut builder = fixture.builder();
    for tool in TOOLS {
        builder = builder.tool(mover(tool));
    }
    let run = start(&block_on(builder.open()).unwrap(), &signed(writ()));
    let (mut versions, mut last) = ([0u64; RESOURCES.len()], [None; RESOURCES.len()]);
    let mut commits: Vec<Known> = Vec::new();
    for Step { tool, reads, changes } in steps {
        let change =
            |(at, delete): (&usize, &bool)| json!({"id": RESOURCES[*at], "version": versions[*at], "delete": delete});
        let args = json!({
            "reads": reads.iter().map(|at| RESOURCES[*at]).collect::<Vec<_>>(),
            "changes": changes.iter().map(change).collect::<Vec<_>>(),
        });
        let Submitted::Committed { seq, .. } = submit(&run, TOOLS[*tool].0, args) else { panic!("it was to be done") };
        let found = reads.iter().chain(changes.keys()).filter_map(|at| last[*at]).collect();
        for (at, delete) in changes {
            versions[*at] = if *delete && versions[*at] > 0 { 0 } else { versions[*at] + 1 };
            last[*at] = Some(commits.len());
        }
        commits.push(Known { seq, tool: *tool, found });
    }
    commits
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_radius_is_the_closure(steps in steps(), denied in prop::sample::subsequence(vec![0, 1, 2], 0..3)) {
        let fixture = Fixture::default();
        let commits = play(&fixture, &steps);
        let names: Vec<_> = denied.iter().map(|tool| TOOLS[*tool].0).collect();
        let rules = match names.as_slice() {
            [] => json!([]),
            names => json!([rule("r", &json!({"field": "intent.target", "op": "in", "value": names}), &deny())]),
        };
        let (simulation, found) = simulated(&*fixture.ledger, with_rules(&rules)).unwrap();
        // Backwards: a commit is in it when a walk over what it found comes to one that is denied.
        let reaches = |from: usize| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
            while let Some(at) = next.pop() {
                if seen.insert(at) {
                    next.extend(&commits[at].found);
                }
            }
            seen.iter().any(|at| denied.contains(&commits[*at].tool))
        };
        let expected: Vec<_> = (0..commits.len()).filter(|at| reaches(*at)).map(|at| commits[at].seq).collect();
        let affected = found.iter().filter_map(|found| match found {
            Found::Commit(affected) => Some(affected),
            _ => None,
        });
        let affected: Vec<_> = affected.collect();
        prop_assert_eq!(affected.iter().map(|affected| affected.at.seq).collect::<Vec<_>>(), expected);
        prop_assert_eq!(simulation.commits, affected.len() as u64);
        for affected in affected {
            let at = commits.iter().position(|known| known.seq == affected.at.seq).unwrap();
            let refused = denied.contains(&commits[at].tool);
            prop_assert_eq!(affected.because.contains(&Because::Refused), refused);
            // Every other reason names a commit that it found, and that is in the radius itself.
            let found: BTreeSet<_> = commits[at].found.iter().filter(|of| reaches(**of)).map(|of| commits[*of].seq).collect();
            let named = affected.because.iter().filter_map(|because| match because {
                Because::Read { from, .. } | Because::Changed { from, .. } => Some(*from),
                _ => None,
            });
            prop_assert_eq!(named.collect::<BTreeSet<_>>(), found);
        }
    }
}
