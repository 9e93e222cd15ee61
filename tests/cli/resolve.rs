//! What is in doubt is shown, taken up and settled from the command line.

use std::fs;

use futures::executor::block_on;
use openthymos::{
    Intent, Runtime,
    contract::{Effect, Risk},
    crypto::{NamedKey, Role, SecretKey},
    ledger::redb::RedbLedger,
    tool::{ToolError, ToolOutput, tool},
    writ::{Amounts, Scope, WritBuilder},
};
use serde_json::json;

use crate::host::Host;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Pay {
    invoice: String,
}

fn key(host: &Host, name: &str) -> SecretKey {
    SecretKey::from_hex(&fs::read_to_string(host.home().join(format!("keys/{name}.key"))).unwrap()).unwrap()
}

/// A host whose ledger, made by a program with the same keys, has a payment in doubt as entry 1 of its last run.
fn in_doubt() -> Host {
    let host = Host::new();
    host.good(&["keys", "new", "approver"]);
    fs::create_dir_all(host.ledger().parent().unwrap()).unwrap();
    let lost = tool("pay", Effect::External, Risk::Low).unwrap();
    let lost = lost.function(|_: Pay, _| Err::<ToolOutput, _>(ToolError::Failed("the line went dead".into())));
    let lost = lost.once_per(|pay| pay.invoice.clone());
    let (root, agent) = (key(&host, "root"), key(&host, "agent"));
    let named = NamedKey::new("root", root.public_key());
    block_on(async {
        let runtime = Runtime::builder()
            .ledger(RedbLedger::open(host.ledger()).unwrap())
            .signer("runtime", key(&host, "runtime"))
            .trust(named.clone(), [Role::WritIssuer, Role::PolicyIssuer, Role::Approver])
            .tool(lost)
            .open()
            .await
            .unwrap();
        let writ = WritBuilder::root(named, NamedKey::new("agent", agent.public_key()))
            .stores([runtime.store_id()])
            .scopes([Scope::tools("pay".parse().unwrap())])
            .effects_up_to(Effect::External)
            .budget(Amounts { tool_calls: 10, wall_clock_ms: 600_000, ..Amounts::ZERO })
            .sign(&root)
            .await
            .unwrap();
        let run = runtime.start("pay the invoice", &writ, &agent).await.unwrap();
        run.submit(Intent::act("pay", json!({"invoice": "7"}))).await.unwrap();
    });
    host
}

#[test]
fn an_operator_settles_a_doubt_and_that_is_on_record() {
    let host = in_doubt();
    let verdict = host.good(&["replay", "last"]);
    assert!(verdict.contains("in doubt   dispatch "), "{verdict}");
    let settled = host.good(&["resolve", "last", "1", "--happened", "--note", "receipt 4711"]);
    assert!(settled.starts_with("settled: dispatch #1 of run ") && settled.contains(": happened, entry "), "{settled}");
    let audit = host.good(&["audit", "last"]);
    for said in ["in_doubt_resolution pay happened", "says      root ", "note      receipt 4711", "consistent · "] {
        assert!(audit.contains(said), "`{said}` is missing in {audit}");
    }
    assert!(!host.good(&["replay", "last"]).contains("in doubt"));
    host.thymos(&["resolve", "last", "1", "--not-done"]).is_usage("nothing is in doubt there");
    assert!(host.good(&["replay", "--all", "--verify"]).contains("consistent"), "the whole ledger verifies");
}

#[test]
fn what_names_no_doubt_and_who_may_not_settle_one_is_refused() {
    let host = in_doubt();
    host.thymos(&["resolve", "last", "1"]).is_usage("--happened|--not-done");
    host.thymos(&["resolve", "last", "1", "--happened", "--not-done"]).is_usage("cannot be used with");
    let listed = host.json(&["replay", "last", "--json"]);
    let dispatch = listed["verdict"]["in_doubt"][0].as_str().unwrap();
    for other in ["2", &dispatch[..7], "ffffffff00000000"] {
        host.thymos(&["resolve", "last", other, "--happened"]).is_usage("in doubt: #1 ");
    }
    host.thymos(&["resolve", "last", "", "--happened"]).is_usage("in doubt: #1 ");
    host.thymos(&["resolve", "nonsense", "1", "--happened"]).is_usage("no run `nonsense`");
    host.thymos(&["resolve", "last", "1", "--happened", "--key", "nobody"]).is_usage("no key `nobody`");
    host.thymos(&["resolve", "last", "1", "--happened", "--key", "approver"]).is_failure("not trusted as approver");
    assert!(host.good(&["replay", "last"]).contains("in doubt"));
    host.good(&["resolve", "last", &dispatch[..8], "--not-done"]);
}

#[test]
fn a_run_in_doubt_is_taken_up_and_says_what_is_left_to_find_out() {
    let host = in_doubt();
    let script = host.file("rest.json", r#"[{"answer":"the rest is done"}]"#);
    let ran = host.thymos(&["resume", "last", "--script", &script]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.out.contains("the rest is done") && ran.out.contains("completed"), "{ran:#?}");
    assert!(ran.err.contains("in doubt: whether dispatch #1 took effect is not known"), "{ran:#?}");
    let (happened, not_done) = (" 1 --happened\n", " 1 --not-done\n");
    assert!(ran.err.contains(happened) && ran.err.contains(not_done), "a command on a line each: {ran:#?}");
    let hinted = ran.err.lines().find(|line| line.ends_with(not_done.trim_end())).unwrap();
    let hinted: Vec<_> = hinted.split_whitespace().collect();
    assert_eq!(hinted[0], "thymos", "{ran:#?}");
    host.good(&hinted[1..]);
    host.thymos(&["resume", "last"]).is_failure("has ended");
}
