//! Going on after a fault: the rest of the script comes to what it comes to without one.

use std::collections::BTreeSet;

use futures::executor::block_on;
use openthymos::{
    ledger::record::{FailureCause, WhatHappened},
    runtime::{Limits, Submitted},
};

use super::{
    audit::{audit, used},
    host::{Host, Process, Told, sealed},
    outside::leaves_doubt,
    past::Past,
    planner::Planner,
    script::{Asked, Step, Who},
    undisturbed::Undisturbed,
};
use crate::common::{AGENT, PLENTY, key};

/// Takes up every run, settles what the fault left in doubt, and goes through the script again: what was acknowledged is
/// answered as before, what was under way is done once, and the rest is as if nothing had been. `alive` says that the process
/// that failed still knows what its tools returned.
pub fn go_on(normal: &Undisturbed, host: &mut Host, mut process: Process, told: &[Told], alive: bool) {
    let limbo = normal.script[told.len()];
    take_up(host, &mut process, limbo, alive);
    for (number, step) in normal.script.iter().enumerate() {
        if step.who().is_some_and(|who| host.runs[who as usize].is_some() && process.runs[who as usize].is_none()) {
            // The run had ended before.
            continue;
        }
        match told.get(number) {
            Some(told) => again(host, &mut process, *step, told),
            None if number == told.len() => finish(host, &mut process, limbo, &normal.told[number]),
            None => {
                let told = block_on(host.take(&mut process, *step)).unwrap();
                if !shares_key(limbo, *step) {
                    assert_alike(&told, &normal.told[number]);
                }
            }
        }
    }
    let runs = audit(&process.runtime, host);
    comes_to_the_same(normal, host, &runs, limbo);
    let mut planner = Planner::new(&[]);
    let run = block_on(process.runtime.start("the rest", &host.chains[0], &key(AGENT))).unwrap();
    block_on(run.drive(&mut planner, Limits::default())).unwrap();
    assert_eq!(planner.remaining, PLENTY.minus(&used(&runs)), "nothing of the budget leaks");
}

fn take_up(host: &mut Host, process: &mut Process, limbo: Step, alive: bool) {
    for who in [Who::Parent, Who::Child] {
        let Some(run) = host.runs[who as usize] else { continue };
        let past = |process: &Process| block_on(Past::read(&**process.runtime.ledger(), &run)).unwrap();
        if past(process).ended {
            process.runs[who as usize] = None;
            continue;
        }
        block_on(host.take(process, Step::TakeOver(who))).unwrap();
        let interrupted: BTreeSet<_> = limbo.asked().into_iter().filter(|(tool, _)| !leaves_doubt(tool)).collect();
        for (_, number) in past(process).in_doubt() {
            let Some((tool, _)) = interrupted.iter().find(|(_, asked)| *asked == number) else { continue };
            assert!(!tool.ends_with("knows"), "the tool was asked what it did");
            assert!(!alive || host.outside.times(number) == 0, "what the tool returned is on record");
        }
        let numbers: BTreeSet<_> = interrupted.into_iter().map(|(_, number)| number).collect();
        block_on(host.settle(process, who, |number| numbers.contains(&number))).unwrap();
    }
}

/// What was acknowledged is answered as it was.
fn again(host: &mut Host, process: &mut Process, step: Step, told: &Told) {
    match (step, told) {
        (Step::Sealed(..), Told::Submitted(Submitted::Failed { effect: WhatHappened::Unknown, .. })) => {}
        (Step::Sealed(..), Told::Submitted(Submitted::Committed { .. } | Submitted::Failed { .. })) => {
            assert_eq!(block_on(host.take(process, step)).as_ref(), Ok(told));
        }
        _ => {}
    }
}

/// Does what the fault interrupted, as far as it was not done.
fn finish(host: &mut Host, process: &mut Process, step: Step, normal: &Told) {
    let said = |process: &Process, who: Who, number| {
        let run = host.runs[who as usize].unwrap();
        let past = block_on(Past::read(&**process.runtime.ledger(), &run)).unwrap();
        past.answered.contains(&number) || past.in_doubt().iter().any(|(_, open)| *open == number)
    };
    match step {
        Step::Plain(who, (_, number)) if said(process, who, number) => {}
        Step::Sealed(who, asked) => {
            let told = block_on(host.take(process, step)).unwrap();
            match &told {
                Told::Submitted(Submitted::Failed {
                    cause: FailureCause::Interrupted | FailureCause::CommitFailed,
                    effect,
                    ..
                }) => {
                    if *effect == WhatHappened::None {
                        let run = process.runs[who as usize].clone().unwrap();
                        host.outside.may_cancel(Some(run.clone()));
                        let anew = block_on(run.submit_sealed(sealed(asked, 1))).unwrap();
                        assert_alike(&Told::Submitted(anew), normal);
                    }
                }
                told => assert_alike(told, normal),
            }
        }
        Step::Drive(..) => drop(block_on(host.take(process, step)).unwrap()),
        step => assert_alike(&block_on(host.take(process, step)).unwrap(), normal),
    }
}

/// Whether both are the same, but for places in the ledger.
#[track_caller]
fn assert_alike(told: &Told, normal: &Told) {
    let outcome = |told: &Told| match told {
        Told::Submitted(Submitted::Committed { output, cost, .. }) => format!("{output} {cost:?}"),
        Told::Submitted(Submitted::Rejected { refusal, .. }) => format!("{:?}", refusal.code),
        Told::Submitted(Submitted::Failed { cause, effect, message, .. }) => format!("{cause} {effect} {message}"),
        Told::Submitted(Submitted::Suspended { channel, .. }) => channel.clone(),
        Told::Drove(summary) => format!("{:?}", summary.why),
        told => format!("{told:?}"),
    };
    assert_eq!(outcome(told), outcome(normal));
}

fn business_key((tool, number): Asked) -> Option<u64> {
    tool.contains("keyed").then_some(number % 100)
}

/// Whether two steps ask for the same business key.
fn shares_key(one: Step, other: Step) -> bool {
    let keys = |step: Step| step.asked().into_iter().filter_map(business_key).collect::<BTreeSet<_>>();
    !keys(one).is_disjoint(&keys(other))
}

/// Every effect happened as often as without the fault, and the world is the same.
fn comes_to_the_same(normal: &Undisturbed, host: &Host, runs: &[Past], limbo: Step) {
    let asked = || normal.script.iter().flat_map(|step| step.asked());
    let alike = |call: Asked| match business_key(call) {
        Some(key) => asked().filter(|call| business_key(*call) == Some(key)).collect(),
        None => vec![call],
    };
    let interrupted: BTreeSet<_> = limbo.asked().into_iter().flat_map(alike).collect();
    for call in asked() {
        let times =
            |count: &dyn Fn(u64) -> usize| alike(call).into_iter().map(|(_, number)| count(number)).sum::<usize>();
        let now = times(&|number| host.outside.times(number));
        let then = times(&|number| normal.effects.iter().filter(|effect| effect.number == number).count());
        // What failed without a trace of its effect is not tried again by this host.
        let given_up = interrupted.contains(&call) && leaves_doubt(call.0) && now == 0;
        assert!(now == then || given_up, "{call:?} happened {now} times, and {then} times without the fault");
    }
    let numbers: BTreeSet<_> = interrupted.iter().map(|(_, number)| *number).collect();
    for (_, number) in runs.iter().flat_map(Past::in_doubt) {
        assert!(normal.in_doubt.contains(&number) || numbers.contains(&number), "{number} is in doubt");
    }
    let made: BTreeSet<_> = runs.iter().flat_map(|past| past.made.clone()).collect();
    for missing in made.symmetric_difference(&normal.made) {
        // An effect of which only the operator, or a failed commit, tells has changed no world.
        let lost = limbo.asked().iter().any(|(tool, number)| tool.starts_with("pay") && number.to_string() == *missing);
        assert!(lost && !made.contains(missing), "kv/{missing}");
    }
}
