//! Whatever a run did, its fold from any snapshot is its fold from the start.

use async_trait::async_trait;
use futures::FutureExt;
use openthymos::{
    cognition::{Cognition, CognitionError, Context, Request, Turn, TurnEvents},
    contract::Effect,
    ledger::Kind,
    replay::since_snapshot,
    runtime::{Binding, Limits, Resolution, Run},
    writ::{Cap, MAX_SKILLS, Skill},
};
use proptest::prelude::*;
use serde_json::json;

use super::{one::One, *};

#[derive(Debug, Clone)]
enum Step {
    Set {
        key: u8,
        delete: bool,
    },
    Fail,
    Unknown,
    Pay,
    Lose,
    /// A drive of some turns whose last is asked for and never comes, so that the drive is dropped then; or in the middle of
    /// whose intents the run is dropped.
    Drive {
        turns: Vec<Vec<u8>>,
    },
    Resolve,
    Resume,
    Bind {
        pay: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u8..2, any::<bool>()).prop_map(|(key, delete)| Step::Set { key, delete }),
        1 => Just(Step::Fail),
        1 => Just(Step::Unknown),
        2 => Just(Step::Pay),
        1 => Just(Step::Lose),
        2 => prop::collection::vec(prop::collection::vec(0u8..6, 1..4), 0..4).prop_map(|turns| Step::Drive { turns }),
        1 => Just(Step::Resolve),
        2 => Just(Step::Resume),
        1 => any::<bool>().prop_map(|pay| Step::Bind { pay }),
    ];
    prop::collection::vec(step, 4..40)
}

/// Plays its turns, and then thinks for ever.
struct Thinker(std::collections::VecDeque<Vec<u8>>);

#[async_trait]
impl Cognition for Thinker {
    fn name(&self) -> String {
        "thinker".into()
    }

    fn estimate(&self) -> Amounts {
        Amounts { tokens: 5, ..Amounts::ZERO }
    }

    async fn step(&mut self, context: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        let Some(calls) = self.0.pop_front() else { return futures::future::pending().await };
        let call = |call: &u8| match call {
            0 | 1 => Request::call("set", json!({"key": format!("k{call}"), "version": context.step, "value": "v"})),
            2 => Request::call("fail", json!({})),
            3 => Request::call("nothing", json!({})),
            4 => Request::call("lose", json!({"amount": context.step})),
            _ => Request::call("pay", json!({})),
        };
        Ok(Turn { usage: Amounts { tokens: 3, ..Amounts::ZERO }, ..Turn::calls(calls.iter().map(call)) })
    }
}

fn play(runtime: &Runtime, mut run: Run, steps: Vec<Step>) -> Run {
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Set { key, delete } => {
                let key = format!("k{key}");
                let version = block_on(run.world()).get(&kv(&key)).map_or(0, |resource| resource.version);
                let mut args = json!({"key": key, "version": version});
                if !(delete && version > 0) {
                    args["value"] = json!(format!("value {number}"));
                }
                submit(&run, "set", args);
            }
            Step::Fail => drop(submit(&run, "fail", json!({}))),
            Step::Unknown => drop(submit(&run, "nothing", json!({}))),
            Step::Pay => drop(submit(&run, "pay", json!({}))),
            Step::Lose => drop(submit(&run, "lose", json!({"amount": number}))),
            Step::Drive { turns } => {
                let mut thinker = Thinker(turns.into());
                assert!(run.drive(&mut thinker, Limits::default()).now_or_never().is_none());
            }
            Step::Resolve => {
                let Some((_, dispatch)) = block_on(run.in_doubt()).into_iter().next() else { continue };
                let verdict = openthymos::ledger::record::HappenedVerdict::Happened;
                let resolution = Resolution { dispatch, verdict, note: Some("asked"), name: "agent" };
                let id = run.id();
                drop(run);
                block_on(runtime.resolve(&id, resolution, &key(AGENT))).unwrap();
                run = block_on(runtime.resume(&id)).unwrap();
            }
            Step::Bind { pay } => {
                let tools = if pay { vec!["pay", "*e*"] } else { vec!["*"] };
                let skill = Skill {
                    budget: Cap { tool_calls: Some(7), ..Cap::NONE },
                    effect_ceiling: Effect::Write,
                    instructions: "Be {how}.".into(),
                    name: "drawn".parse().unwrap(),
                    parameters: json!({"type": "object", "properties": {"how": {"type": "integer"}}}),
                    tools: tools.into_iter().map(|pattern| pattern.parse().unwrap()).collect(),
                    version: std::num::NonZeroU32::MIN,
                };
                if block_on(run.skills()).len() < MAX_SKILLS {
                    block_on(run.bind(Binding::new(skill).with(json!({"how": number})))).unwrap();
                }
            }
            Step::Resume => {
                let id = run.id();
                drop(run);
                run = block_on(runtime.resume(&id)).unwrap();
            }
        }
    }
    run
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_fold_from_any_snapshot_is_the_fold_from_the_start(steps in steps(), close in any::<bool>(), offset in 0usize..3) {
        let fixture = fixture();
        let runtime = open(&fixture, 3);
        let run = play(&runtime, start(&runtime, &signed(writ())), steps);
        if close {
            block_on(run.close()).unwrap();
        }
        let (id, store) = (run.id(), store_id(&runtime));
        drop(run);
        let entries = fixture.entries(&id);
        let (_, whole) = fold(&*fixture.ledger, &id, &entries);
        let mut used = 0;
        for (seq, entry) in (0u64..).zip(&entries).skip(offset).step_by(3) {
            let (_, here) = fold(&*fixture.ledger, &id, &entries[..=seq as usize]);
            // The snapshots that the runtime took itself, each up to every entry after it.
            if let Some((report, folded)) = block_on(since_snapshot(&*fixture.ledger, &id, Some(seq))) {
                prop_assert_eq!(all(&folded), all(&here), "at {} {:?}", seq, entry.header.known_kind());
                prop_assert_eq!(report.entries, seq - report.since.unwrap());
                used += 1;
            }
            // One that is taken here, up to the last entry.
            let one = One::of(&fixture.ledger, Some((seq, sealed(&Snapshot::of(store, id, &here), Some(RUNTIME)))));
            let (report, folded) = block_on(since_snapshot(&one, &id, None)).expect("the snapshot is used");
            prop_assert_eq!(all(&folded), all(&whole), "from {} {:?}", seq, entry.header.known_kind());
            prop_assert_eq!((report.since, report.head_seq), (Some(seq), entries.len() as u64 - 1));
        }
        let last = block_on(fixture.ledger.snapshot(&id, u64::MAX)).unwrap().map_or(u64::MAX, |(seq, _)| seq);
        prop_assert!(used > 0 || last.saturating_add(2) >= entries.len() as u64, "the runtime's own are used");
    }

    #[test]
    fn a_run_taken_up_from_a_snapshot_goes_on_as_one_that_was_folded(steps in steps(), more in steps()) {
        let taken_up = [3, 0].map(|every| {
            let fixture = fixture();
            let runtime = open(&fixture, every);
            let id = play(&runtime, start(&runtime, &signed(writ())), steps.clone()).id();
            drop(runtime);
            let runtime = open(&fixture, every);
            let run = play(&runtime, block_on(runtime.resume(&id)).unwrap(), more.clone());
            let (doubts, spent) = (block_on(run.in_doubt()).len(), block_on(run.spent()));
            let left: Vec<_> = fixture.kinds(&id);
            drop(run);
            let report = verified(&runtime, &id);
            let records: Vec<_> = fixture.entries(&id).into_iter()
                .filter(|entry| matches!(entry.header.known_kind(), Some(Kind::Resumed | Kind::TurnStart | Kind::Rejection)))
                .map(|entry| entry.header.known_kind().unwrap()).collect();
            (doubts, spent.1, left, records, report.commits, report.in_doubt.len())
        });
        prop_assert_eq!(&taken_up[0], &taken_up[1]);
    }
}
