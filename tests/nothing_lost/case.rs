//! One fault at one operation: what is left, and the way on from there.

use std::{future::poll_fn, panic::AssertUnwindSafe, pin::pin, sync::Arc, task::Poll};

use futures::{FutureExt, executor::block_on};
use openthymos::ledger::LedgerStore;

use super::{
    audit::audit,
    host::{Failed, Host, Process, Told, intent},
    onward::go_on,
    script::Step,
    undisturbed::{Undisturbed, log, play},
};
use crate::common::{
    AGENT,
    faulty::{Fault, FaultyLedger, Left},
    key,
};

/// Plays a script up to a fault, checks what is left, opens it again, and plays the rest.
pub fn case(normal: &Undisturbed, at: usize, fault: Fault) {
    let mut host = Host::new(normal.script);
    let ledger = Arc::new(FaultyLedger::new(&host.fixture.ledger, at as u64, fault));
    host.outside.watches(Some(ledger.clone()));
    let (told, process) = until_fault(&mut host, &ledger, normal.script, matches!(fault, Fault::Crash(_)));
    assert_eq!(told, normal.told[..told.len()], "what was told before the fault");

    let whole = matches!(fault, Fault::Crash(Left::All) | Fault::Error(Left::All) | Fault::Panic(Left::All));
    assert!(log(&*host.fixture.ledger) == normal.stored(at, whole), "what is on record is what was stored before");
    assert_eq!(host.outside.effects(), normal.effects_before(at), "no effect follows a failed store");
    if let Some(process) = &process {
        refuses_everything(&host, process);
        assert_eq!(host.outside.effects(), normal.effects_before(at), "no effect follows a failed store");
    }

    host.outside.watches(None);
    host.outside.may_cancel(None);
    let runtime = block_on(host.open(host.fixture.ledger.clone())).unwrap();
    audit(&runtime, &host);
    let alive = !matches!(fault, Fault::Crash(_) | Fault::Panic(_));
    let runs = process.map_or([None, None], |process| process.runs);
    go_on(normal, &mut host, Process { runtime, runs }, &told, alive);
}

/// Plays until the process has ended, or an error was told.
fn until_fault(
    host: &mut Host,
    ledger: &Arc<FaultyLedger>,
    script: &[Step],
    crashes: bool,
) -> (Vec<Told>, Option<Process>) {
    let (mut told, mut process) = (vec![], None);
    let shared: Arc<dyn LedgerStore> = ledger.clone();
    let ended: Option<Result<(), Failed>> = {
        let play = play(host, shared, script, &mut process, &mut told, || ());
        let mut play = pin!(AssertUnwindSafe(play).catch_unwind());
        block_on(poll_fn(|context| match play.as_mut().poll(context) {
            Poll::Ready(Ok(result)) => Poll::Ready(Some(result)),
            Poll::Ready(Err(_)) => Poll::Ready(Some(Err("the store panicked".into()))),
            Poll::Pending if ledger.crashed() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }))
    };
    match ended {
        None => assert!(crashes),
        Some(Ok(())) => panic!("nobody was told that the ledger failed"),
        Some(Err(error)) => assert!(!crashes && told_that_it_failed(&error), "{error}"),
    }
    (told, process.filter(|_| !crashes))
}

/// The handles of a process whose ledger failed do nothing more, and say why.
fn refuses_everything(host: &Host, process: &Process) {
    let tools = host.tools.iter().max_by_key(|tool| tool.contains("pay"));
    let tool = tools.copied().unwrap_or("pay");
    for run in process.runs.iter().flatten() {
        let refused = block_on(run.submit(intent((tool, 999))));
        assert!(refused.is_err(), "{refused:?}");
    }
    let started = block_on(process.runtime.start("another task", &host.chains[0], &key(AGENT)));
    let said = started.err().expect("nothing is started").to_string();
    assert!(told_that_it_failed(&said), "{said}");
}

/// Whether an error says that the ledger is to be opened again, and not that it is damaged: nothing is wrong with it.
fn told_that_it_failed(error: &str) -> bool {
    let words = ["storage failed", "must be opened again", "behind the ledger", "could not be recorded", "panicked"];
    words.iter().any(|words| error.contains(words)) && !error.contains("damaged")
}
