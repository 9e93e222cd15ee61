//! A cap is a cap: what is known to cost before it is asked for is asked for only while there is room for it, and a run ends as soon as a
//! dimension is used up, in the middle of a step too, and says which.
#![expect(clippy::unwrap_used, reason = "a helper that goes wrong should stop the test")]

mod common;

use async_trait::async_trait;
use common::*;
use futures::executor::block_on;
use openthymos::{
    cognition::{Cognition, CognitionError, Context, Mock, Request, Turn, TurnEvents},
    ledger::{
        Kind,
        record::{EndReason, Rejection, TurnStart},
    },
    runtime::{Limits, Run, Runtime, Subjects, Summary, WhyStopped},
    writ::{Amounts, Dimension},
};
use proptest::prelude::*;
use serde_json::json;

/// 0.50 USD.
const CAP: u64 = 50_000;

fn usd(usd_millicents: u64) -> Amounts {
    Amounts { usd_millicents, ..Amounts::ZERO }
}

/// Asks a model whose turns have these prices, which are known before. Every turn calls a tool, or hands the rest of the work down.
struct Priced {
    prices: Vec<u64>,
    next: usize,
    asked: u64,
    hands_down: bool,
}

impl Priced {
    fn new(prices: &[u64], hands_down: bool) -> Self {
        Self { prices: prices.to_vec(), next: 0, asked: 0, hands_down }
    }

    fn price(&self) -> Amounts {
        usd(self.prices.get(self.next).copied().unwrap_or(1))
    }
}

#[async_trait]
impl Cognition for Priced {
    fn name(&self) -> String {
        "priced".into()
    }

    fn estimate(&self) -> Amounts {
        self.price()
    }

    fn delegate(&mut self, _: &str) -> Option<Box<dyn Cognition>> {
        Some(Box::new(Self::new(&self.prices, false)))
    }

    async fn step(&mut self, _: &Context, _: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        let (usage, over) = (self.price(), self.next >= self.prices.len());
        self.next += 1;
        self.asked += usage.usd_millicents;
        if over {
            return Ok(Turn { usage, ..Turn::answer("done") });
        }
        let request = match self.hands_down {
            true => Request::delegate(json!({"task": "a part", "tools": ["act"], "effects": "write"})),
            false => Request::call("act", json!({})),
        };
        Ok(Turn { usage, ..Turn::calls([request]) })
    }
}

fn open(fixture: &Fixture, budget: Amounts) -> (Runtime, Run, Counter) {
    let tool = TestTool::host("act");
    let calls = tool.counter();
    let subjects = Subjects::default().key(key(AGENT));
    let runtime = block_on(fixture.builder().tool(tool).delegation(subjects).open()).unwrap();
    let run = start(&runtime, &signed(writ().budget(budget)));
    (runtime, run, calls)
}

fn drive(run: &Run, cognition: &mut dyn Cognition) -> Summary {
    block_on(run.drive(cognition, Limits::default())).unwrap()
}

/// What was spent under the run's writ, by itself and all below it.
fn spent(runtime: &Runtime, run: &Run) -> u64 {
    let report = whole(&**runtime.ledger());
    let writ = block_on(run.writ()).id();
    report.accounts.iter().find(|account| account.writ == writ).unwrap().spent.usd_millicents
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_cap_is_never_exceeded_by_what_is_known_before(
        prices in prop::collection::vec(1u64..20_000, 1..12),
        hands_down in any::<bool>(),
    ) {
        let fixture = Fixture::default();
        let (runtime, run, _) = open(&fixture, Amounts { usd_millicents: CAP, ..PLENTY });
        let mut priced = Priced::new(&prices, hands_down);
        let summary = drive(&run, &mut priced);
        let spent = spent(&runtime, &run);
        prop_assert!(spent <= CAP, "{spent} of {CAP}");
        prop_assert!(priced.asked <= spent);
        if !hands_down {
            // It ends for its budget exactly where the next turn would not have fitted, or the last took all that was left.
            let needed: u64 = prices.iter().sum::<u64>() + 1;
            let ended = summary.why == WhyStopped::Ended(EndReason::BudgetExhausted);
            prop_assert_eq!(ended, needed > CAP);
            prop_assert_eq!(summary.detail.as_deref(), ended.then_some("usd_millicents"));
            let room = CAP - spent;
            prop_assert!(!ended || room == 0 || prices.get(priced.next).is_none_or(|next| *next > room));
        }
    }
}

#[test]
fn a_turn_is_held_for_before_it_is_asked_for_and_settled_after_it() {
    let fixture = Fixture::default();
    let (runtime, run, calls) = open(&fixture, Amounts { usd_millicents: CAP, ..PLENTY });
    // 0.30 is spent; another 0.30 does not fit, and nobody is asked.
    let mut priced = Priced::new(&[30_000, 30_000], false);
    let summary = drive(&run, &mut priced);
    assert_eq!(
        (summary.why, summary.detail.as_deref()),
        (WhyStopped::Ended(EndReason::BudgetExhausted), Some("usd_millicents"))
    );
    assert_eq!((priced.asked, spent(&runtime, &run), calls.get()), (30_000, 30_000, 1));
    let starts = fixture.entries(&run.id());
    let starts = starts.iter().filter(|entry| entry.header.known_kind() == Some(Kind::TurnStart));
    let held: Vec<_> = starts.map(|entry| entry.body::<TurnStart>().unwrap().reserved).collect();
    assert_eq!(held, [usd(30_000)]);
    verified(&runtime, &run.id());
}

/// Ends a run in the middle of a step: the first two of four calls use a dimension up.
fn halts(dimension: Dimension, budget: Amounts, cost: Amounts) {
    let (fixture, tool) = (Fixture::default(), TestTool::world("act").with(|tool| tool.cost = cost));
    let calls = tool.counter();
    let runtime = fixture.open([tool]);
    let run = start(&runtime, &signed(writ().budget(budget)));
    let mut mock = Mock::script(vec![vec![Request::call("act", json!({})); 4], vec![Request::call("act", json!({}))]]);
    let summary = drive(&run, &mut mock);
    assert_eq!(summary.why, WhyStopped::Ended(EndReason::BudgetExhausted), "{dimension:?}");
    assert_eq!(summary.detail.as_deref(), Some(dimension.as_str()));
    assert_eq!((calls.get(), summary.committed, summary.steps), (2, 2, 0));
    let entries = fixture.entries(&run.id());
    let rejections = entries.iter().filter(|entry| entry.header.known_kind() == Some(Kind::Rejection));
    let skipped = rejections.filter(|entry| matches!(entry.body().unwrap(), Rejection::NotAttempted { .. }));
    assert_eq!(skipped.count(), 2, "{dimension:?}");
    verified(&runtime, &run.id());
}

#[test]
fn a_run_halts_in_the_middle_of_a_step_and_says_which_dimension_is_used_up() {
    halts(Dimension::ToolCalls, Amounts { tool_calls: 2, ..PLENTY }, Amounts::ONE_CALL);
    halts(Dimension::Tokens, Amounts { tokens: 8, ..PLENTY }, Amounts { tokens: 4, ..Amounts::ONE_CALL });
    let cents = Amounts { usd_millicents: 25_000, ..Amounts::ONE_CALL };
    halts(Dimension::UsdMillicents, Amounts { usd_millicents: CAP, ..PLENTY }, cents);
}

#[test]
fn what_a_child_used_up_its_parent_does_not_have_in_the_same_step() {
    let fixture = Fixture::default();
    let (runtime, run, calls) = open(&fixture, Amounts { tool_calls: 3, ..PLENTY });
    let worker = Mock::script(vec![vec![Request::call("act", json!({})); 2]]);
    let hands_down = Request::delegate(json!({"task": "a part", "tools": ["act"], "effects": "write"}));
    let mut boss = Mock::script(vec![vec![hands_down, Request::call("act", json!({}))]]).with_child("a part", worker);
    let summary = drive(&run, &mut boss);
    assert_eq!(
        (summary.why, summary.detail.as_deref()),
        (WhyStopped::Ended(EndReason::BudgetExhausted), Some("tool_calls"))
    );
    assert_eq!(calls.get(), 2);
    verified(&runtime, &run.id());
}
