//! A mock plays its script to the letter, tells honestly what became of it, and refuses scripts that it could not play.
#![expect(clippy::unwrap_used, reason = "a helper of a test may fail it")]

use futures::executor::block_on;
use openthymos::{
    canon::IntentId,
    cognition::{Cognition, Context, Mock, Outcome, PastOutcome, Request, ScriptFault, Turn, TurnPiece},
    intent::IntentKind,
    proposal::{Code, Refusal, Stage},
    writ::Amounts,
};
use serde_json::json;

fn step(mock: &mut Mock, context: &Context) -> Turn {
    block_on(mock.step(context, &|_: TurnPiece| {})).unwrap()
}

fn past(tool: &str, outcome: Outcome) -> PastOutcome {
    PastOutcome { step: 0, intent: IntentId([0; 32]), tool: tool.into(), args: json!({}), outcome }
}

fn fault(script: &str) -> String {
    Mock::from_json(script.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_script_is_played_in_order_and_then_answers() {
    let (a, b) = (Request::call("a", json!({"n": 1})), Request::call("b", json!({})).because("why not"));
    let mut mock = Mock::script(vec![vec![a.clone(), b.clone()], vec![a.clone()]]).answering("done");
    assert_eq!(step(&mut mock, &Context::default()).requests, [a.clone(), b]);
    assert_eq!(step(&mut mock, &Context::default()).requests, [a]);
    let last = step(&mut mock, &Context::default());
    assert_eq!((last.requests.len(), last.answer.as_deref(), last.usage), (0, Some("done"), Amounts::ZERO));
}

#[test]
fn without_an_answer_it_accounts_for_every_call() {
    let refusal = Refusal::new(Stage::Effect, Code::EffectAboveCeiling);
    let failed = |effect: &str| Outcome::Failed { cause: "io".into(), message: "no".into(), effect: effect.into() };
    let history = vec![
        past("fs_read", Outcome::Committed { output: json!("x") }),
        past("fs_write", Outcome::Refused(refusal)),
        past("grep", failed("none")),
        past("grep", failed("none")),
        past("http", failed("unknown")),
        past("shell", Outcome::Suspended { reason: "risk".into() }),
        past("kv_set", Outcome::NotAttempted),
    ];
    let answer = step(&mut Mock::default(), &Context { history, ..Context::default() }).answer.unwrap();
    let counts = "7 calls: 1 committed, 1 refused, 2 failed, 1 in doubt, 1 waiting for approval, 1 not attempted";
    assert!(answer.contains(counts), "{answer}");
    assert!(answer.contains("`fs_write` was refused at effect: effect_above_ceiling"), "{answer}");
    assert!(step(&mut Mock::default(), &Context::default()).answer.unwrap().contains("0 calls"));
}

#[test]
fn a_script_may_carry_a_routers_evidence() {
    let route = |name: &str| json!({"cost_usd_millicents": 1, "latency_ms": 2, "route": name});
    let routing = json!({"alternatives": [route("b")], "confidence_bp": 9_000, "decision_hash": "07".repeat(32), "selected": route("a")});
    let script = json!([{"calls": [{"tool": "x"}], "routing": routing}, {"answer": "done"}]).to_string();
    let mut mock = Mock::from_json(script.as_bytes()).unwrap();
    let turn = step(&mut mock, &Context::default());
    assert_eq!(serde_json::to_value(turn.routing).unwrap(), routing);
    assert_eq!(step(&mut mock, &Context::default()).routing, None);
    assert_eq!(fault(&script.replace("\"latency_ms\":2,", "")), "step 0: `routing`: missing member `latency_ms`");
    assert_eq!(fault(r#"[{"routing": []}]"#).split(':').next(), Some("step 0"));
}

#[test]
fn turns_are_played_as_they_are() {
    let turn = Turn { usage: Amounts { tokens: 7, ..Amounts::ZERO }, ..Turn::answer("x").saying("y") };
    assert_eq!(step(&mut Mock::turns(vec![turn.clone()]), &Context::default()), turn);
}

#[test]
fn a_json_script_becomes_its_turns() {
    let script = br#"[
        [{"tool": "fs_read", "args": {"path": "a"}, "rationale": "to see", "kind": "query"}, {"tool": "list_files"}],
        {"say": "hm", "calls": [{"tool": "kv_get", "args": {"key": "k"}}]},
        {"answer": "bye"}
    ]"#;
    let mut mock = Mock::from_json(script).unwrap();
    let first = step(&mut mock, &Context::default());
    let read = Request::call("fs_read", json!({"path": "a"})).because("to see");
    let read = Request { kind: IntentKind::Query, ..read };
    assert_eq!(first.requests, [read, Request::call("list_files", json!({}))]);
    let second = step(&mut mock, &Context::default());
    assert_eq!((second.text.as_deref(), second.requests.len()), (Some("hm"), 1));
    assert_eq!(step(&mut mock, &Context::default()).answer.as_deref(), Some("bye"));
    assert!(Mock::from_json(b"[]").is_ok());
}

#[test]
fn a_fault_names_the_step_the_call_and_what_is_wrong() {
    assert_eq!(
        fault(r#"[[{"tool": "a"}], [{"tool": "a"}, {"tool": "a", "arg": {}}]]"#),
        "step 1, call 1: unknown member `arg`"
    );
    assert_eq!(fault(r#"[{"calls": [{"args": {}}]}]"#), "step 0, call 0: missing member `tool`");
    assert_eq!(fault(r#"[[{"tool": 3}]]"#), "step 0, call 0: expected `tool` to be text");
    assert_eq!(
        fault(r#"[["fs_read"]]"#),
        "step 0, call 0: expected the call to be an object of `tool`, `args`, `rationale`, `kind` and `script`"
    );
    assert!(fault(r#"[[{"tool": "a b"}]]"#).starts_with("step 0, call 0: tool name `a b`"));
    assert!(fault(r#"[[{"tool": "a", "kind": "do"}]]"#).starts_with("step 0, call 0: unknown intent kind `do`"));
    assert_eq!(fault(r#"[{"cals": []}]"#), "step 0: unknown member `cals`");
    assert_eq!(fault(r#"[{"calls": {}}]"#), "step 0: expected `calls` to be a list of calls");
    assert_eq!(
        fault("[3]"),
        "step 0: expected the step to be a list of calls, or an object of `say`, `calls`, `answer` and `routing`"
    );
    assert_eq!(fault(r#"{"steps": []}"#), "script: expected the script to be a list of steps");
}

#[test]
fn a_script_that_could_be_read_in_two_ways_is_refused() {
    let twice = Mock::from_json(br#"[[{"tool": "a", "args": {"x": 1, "x": 2}}]]"#).unwrap_err();
    assert!(matches!(twice.fault, ScriptFault::Json(_)), "{twice}");
    assert!(fault(r#"[[{"tool": "a", "args": {"x": 9007199254740993}}]]"#).contains("send a string"));
    assert!(fault("[[{]]").starts_with("script: byte 3"));
}

#[test]
fn steps_that_could_never_be_reached_are_refused() {
    let script = r#"[[], [{"tool": "a"}]]"#;
    assert_eq!(fault(script), "step 0: no calls, which would end the run before the steps that follow");
    assert_eq!(Mock::from_json(script.as_bytes()).unwrap_err().step, Some(0));
}
