//! What a run leaves behind, on each path that a secret can take: every byte of the ledger and every event is searched.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::{FutureExt, StreamExt, executor::block_on};
use openthymos::{
    canon::{CanonError, MAX_DEPTH},
    cognition::{Cognition, CognitionError, Context, Request, Turn, TurnEvents, TurnPiece},
    commit::Delta,
    contract::{ArgumentFault, ToolName},
    crypto::Secret,
    execute::MAX_QUOTE_TEXT,
    host::{EnvSecrets, MapSecrets, SecretError, SecretStore, SeededEntropy},
    intent::{Intent, IntentError},
    ledger::{
        Kind, LedgerStore, Position, StoredBlob,
        record::{FailureCause, WhatHappened},
    },
    proposal::{Code, PreconditionFault, Refusal, Stage},
    redact::Redactor,
    runtime::{Builder, Event, Limits, Run, RunError, Runtime, Submitted},
    tool::{Call, ToolError, ToolOutput},
    world::ResourceId,
};
use serde_json::{Value, json};

use crate::common::*;

/// A secret that a rule finds, put together so that no scanner finds it here.
fn key_of(letter: char) -> String {
    format!("{}_{}", "ghp", format!("{letter}7{letter}").repeat(12))
}

/// A secret that no rule finds.
const PLAIN: &str = "open sésame";

struct World {
    fixture: Fixture,
    runtime: Runtime,
    run: Run,
    given: Arc<Mutex<Vec<Value>>>,
    calls: Counter,
    events: Box<dyn futures::Stream<Item = Event> + Send + Unpin>,
}

fn secrets() -> MapSecrets {
    MapSecrets::default().with("door", Secret::new(PLAIN)).with("short", Secret::new("ab"))
}

impl World {
    fn new(tool: TestTool, more: impl FnOnce(Builder) -> Builder) -> Self {
        let fixture = Fixture::default();
        let given: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (seen, calls) = (Arc::clone(&given), tool.counter());
        let call = tool.call;
        let tool = TestTool {
            call: Box::new(move |of: Call| {
                seen.lock().unwrap().push(of.args.clone());
                call(of)
            }),
            ..tool
        };
        let builder = more(fixture.builder().secrets(secrets()).tool(tool));
        let runtime = block_on(builder.open()).unwrap();
        let run = block_on(runtime.start(&format!("use {}", key_of('T')), &signed(writ()), &key(AGENT))).unwrap();
        let events = Box::new(run.events());
        Self { fixture, runtime, run, given, calls, events }
    }

    fn with(tool: TestTool) -> Self {
        Self::new(tool, |builder| builder)
    }

    fn submit(&self, args: Value) -> Submitted {
        submit(&self.run, "act", args)
    }

    fn given(&self) -> Value {
        self.given.lock().unwrap().last().unwrap().clone()
    }

    fn refused(&self, args: Value) -> Refusal {
        let calls = self.calls.get();
        let Submitted::Rejected { refusal, .. } = self.submit(args) else { panic!("it was not refused") };
        assert_eq!(self.calls.get(), calls, "the tool was called");
        refusal
    }

    /// Everything that is left: all entries with their blobs, all registers' values that entries name, all events.
    fn left(&mut self) -> String {
        let mut left = String::new();
        for (_, entry) in block_on(self.fixture.ledger.scan(Position(0), usize::MAX)).unwrap() {
            left += &String::from_utf8_lossy(&entry.record);
            for blob in &entry.blobs {
                if let StoredBlob::Present(blob) = blob {
                    left += &String::from_utf8_lossy(&blob.bytes);
                }
            }
            left.push('\n');
        }
        left += &format!("{:?}", self.fixture.ledger);
        while let Some(Some(event)) = self.events.next().now_or_never() {
            left += &format!("{event:?}\n");
        }
        left
    }

    /// None of these is left anywhere, in the form that they have or in the one that JSON gives them, and the run verifies.
    fn holds_none_of(&mut self, secrets: &[&str]) {
        let left = self.left();
        let task = key_of('T');
        for secret in secrets.iter().chain([&task.as_str()]) {
            let escaped = Value::from(*secret).to_string();
            for form in [secret, escaped.trim_matches('"')] {
                assert!(!left.contains(form), "`{form}` is left in {left}");
            }
        }
        verified(&self.runtime, &self.run.id());
    }
}

fn echo() -> TestTool {
    TestTool::host("act").calling(|call| Ok(ToolOutput::new(call.args)))
}

#[test]
fn a_secret_in_the_arguments_reaches_the_tool_and_nothing_else() {
    let (one, two) = (key_of('a'), key_of('b'));
    let mut world = World::with(echo());
    let args = json!({ "text": format!("é {one} and {one}"), "list": [{ "password": "p w" }], two.as_str(): 1 });
    let rationale = format!("because of {two}");
    let submitted =
        block_on(world.run.submit(Intent::act("act", args.clone()).because(rationale).by(two.clone()))).unwrap();
    assert_eq!(world.given(), args);
    let Submitted::Committed { output, .. } = submitted else { panic!("{submitted:?}") };
    assert!(output["text"].as_str().unwrap().starts_with("é [redacted:github-token:"), "{output}");
    assert_eq!(output["list"][0]["password"].as_str().unwrap().find("[redacted:member:"), Some(0), "{output}");
    world.holds_none_of(&[&one, &two, "p w"]);
}

#[test]
fn a_secret_by_handle_reaches_the_tool_and_nothing_else() {
    let hooks = |tool: &mut TestTool| {
        tool.contract.schema = json!({
            "type": "object",
            "properties": { "password": { "type": "string" }, "deep": { "type": "array", "items": { "type": "string" } } },
        });
    };
    let mut world = World::with(echo().with(hooks));
    let sealed = json!({ "password": { "$secret": "door" }, "deep": [{ "$secret": "door" }] });
    let submitted = world.submit(sealed.clone());
    assert_eq!(world.given(), json!({ "password": PLAIN, "deep": [PLAIN] }));
    let Submitted::Committed { output, .. } = submitted else { panic!("{submitted:?}") };
    assert_eq!(output["password"], output["deep"][0]);
    assert!(output["password"].as_str().unwrap().starts_with("[redacted:secret:"), "{output}");
    world.holds_none_of(&[PLAIN]);
    assert!(world.left().contains(r#"{"$secret":"door"}"#), "the handle is sealed as it is");
}

#[test]
fn all_hooks_but_the_call_see_the_name_of_a_secret() {
    struct Seen(Arc<Mutex<Vec<(&'static str, Value)>>>);
    impl Seen {
        fn saw(&self, hook: &'static str, args: &Value) {
            self.0.lock().unwrap().push((hook, args.clone()));
        }
    }
    #[async_trait]
    impl openthymos::ToolContract for Seen {
        fn contract(&self) -> openthymos::contract::Contract {
            TestTool::host("act").contract
        }
        fn check_arguments(&self, args: &Value) -> Result<(), openthymos::contract::ArgumentFault> {
            self.saw("check_arguments", args);
            Ok(())
        }
        fn checks_arguments(&self) -> bool {
            true
        }
        fn reads(&self, args: &Value) -> Vec<ResourceId> {
            self.saw("reads", args);
            vec![]
        }
        fn cost(&self, args: &Value) -> openthymos::writ::Amounts {
            self.saw("cost", args);
            openthymos::writ::Amounts::ONE_CALL
        }
        async fn probe(
            &self,
            args: &Value,
            _: &Arc<dyn openthymos::host::Spawn>,
        ) -> Result<openthymos::tool::Probe, ToolError> {
            self.saw("probe", args);
            Ok(Default::default())
        }
        fn precondition(&self, args: &Value, _: &openthymos::tool::Reads) -> Result<(), PreconditionFault> {
            self.saw("precondition", args);
            Ok(())
        }
        fn compensable(&self, args: &Value, _: &openthymos::tool::Reads) -> bool {
            self.saw("compensable", args);
            true
        }
        fn idempotency_key(&self, args: &Value) -> Option<String> {
            self.saw("idempotency_key", args);
            None
        }
        async fn call(&self, call: Call) -> Result<ToolOutput, ToolError> {
            self.saw("call", &call.args);
            Err(ToolError::Failed("nobody knows".into()))
        }
        fn postcondition(&self, args: &Value, _: &openthymos::tool::Reads, _: &ToolOutput) -> Result<(), String> {
            self.saw("postcondition", args);
            Ok(())
        }
        async fn reconcile(
            &self,
            args: &Value,
            _: Option<openthymos::canon::FileHash>,
            _: &Arc<dyn openthymos::host::Spawn>,
        ) -> Option<bool> {
            self.saw("reconcile", args);
            Some(false)
        }
    }
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let fixture = Fixture::default();
    let builder = fixture.builder().secrets(secrets()).tool(Seen(Arc::clone(&seen)));
    let runtime = block_on(builder.open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    submit(&run, "act", json!({ "code": { "$secret": "door" } }));
    submit(&run, "act", json!({ "code": { "$secret": "door" } }));
    let seen = seen.lock().unwrap();
    let hooks: std::collections::BTreeSet<_> = seen.iter().map(|(hook, _)| *hook).collect();
    assert!(hooks.contains("reconcile") && hooks.len() >= 9, "{hooks:?}");
    for (hook, args) in seen.iter() {
        let code = if *hook == "call" { PLAIN } else { "[secret:door]" };
        assert_eq!(args, &json!({ "code": code }), "{hook}");
    }
}

#[test]
fn a_call_whose_secret_cannot_be_had_does_not_run() {
    struct Broken;
    #[async_trait]
    impl SecretStore for Broken {
        async fn secret(&self, name: &str) -> Result<Secret, SecretError> {
            match name {
                "hangs" => futures::future::pending().await,
                "panics" => panic!("a store that panics"),
                _ => Err(SecretError::Unavailable { name: name.into(), reason: "down".into() }),
            }
        }
    }
    let mut world = World::with(echo());
    for (args, pointer) in [
        (json!({ "a/b": [{ "$secret": "unknown" }] }), "/a~1b/0"),
        (json!({ "x": { "$secret": "short" } }), "/x"),
        (json!({ "x": { "y": "see [redacted:github-token:0123456789abcdef]" } }), "/x/y"),
        (json!({ "[redacted:member:0123456789abcdef]": 1 }), "/[redacted:member:0123456789abcdef]"),
    ] {
        let refusal = world.refused(args);
        assert_eq!((refusal.stage, refusal.code), (Stage::Preconditions, Code::SecretUnavailable));
        assert_eq!(refusal.pointer.as_deref(), Some(pointer));
    }
    assert_eq!(world.fixture.kinds(&world.run.id())[1..], [Kind::Rejection; 4]);
    assert_eq!(block_on(world.run.spent()).1, openthymos::writ::Amounts::ZERO);
    world.holds_none_of(&[]);

    let fast = |fixture: &mut Fixture| fixture.host.timer = Arc::new(FastTimer);
    let mut fixture = Fixture::default();
    fast(&mut fixture);
    let tool = echo();
    let calls = tool.counter();
    let runtime = block_on(fixture.builder().secrets(Broken).tool(tool).open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    for name in ["hangs", "panics", "down"] {
        let submitted = submit(&run, "act", json!({ "x": { "$secret": name } }));
        let Submitted::Rejected { refusal, .. } = submitted else { panic!("{submitted:?}") };
        assert_eq!(refusal.code, Code::SecretUnavailable, "{name}");
    }
    assert_eq!(calls.get(), 0);
    verified(&runtime, &run.id());
}

#[test]
fn a_placeholder_of_another_intent_is_not_filled_in() {
    let mut world = World::with(echo());
    let key = key_of('c');
    let Submitted::Committed { output, .. } = world.submit(json!({ "to": key })) else { panic!("not committed") };
    let refusal = world.refused(json!({ "to": output["to"] }));
    assert_eq!(refusal.code, Code::SecretUnavailable);
    world.holds_none_of(&[&key]);
}

#[test]
fn what_resembles_a_handle_is_refused_with_its_place() {
    let world = World::with(echo());
    for bad in [json!({ "$secret": 7 }), json!({ "$secret": "" }), json!({ "$secret": "door", "more": 1 })] {
        let refusal = world.refused(json!({ "a": [bad] }));
        assert_eq!((refusal.stage, refusal.code), (Stage::Schema, Code::ArgumentsMalformed));
        assert_eq!(refusal.pointer.as_deref(), Some("/a/0"));
    }
}

#[test]
fn an_intent_that_was_sealed_with_a_secret_is_not_taken() {
    let mut world = World::with(echo());
    let key = key_of('d');
    for intent in [
        Intent::act("act", json!({ "x": [key.clone()] })),
        Intent::act("act", json!({})).because(key.clone()),
        Intent::act("act", json!({})).by(key.clone()),
    ] {
        let error = block_on(world.run.submit_sealed(intent.seal(&SeededEntropy::new(3)).unwrap())).unwrap_err();
        assert!(matches!(error, RunError::SecretInClear { .. }), "{error}");
        assert!(error.to_string().contains("Run::submit") && !error.to_string().contains(&key), "{error}");
    }
    assert_eq!(world.calls.get(), 0);
    let sealed = Intent::act("act", json!({ "x": { "$secret": "door" } })).seal(&SeededEntropy::new(4)).unwrap();
    assert!(matches!(block_on(world.run.submit_sealed(sealed)).unwrap(), Submitted::Committed { .. }));
    world.holds_none_of(&[&key, PLAIN]);
}

/// Runs a tool that was given a secret by handle and one in clear, and one that it has itself, on the way that `call` takes.
fn leaking(tool: TestTool) -> (World, Submitted) {
    let mut world = World::with(tool);
    let submitted = world.submit(json!({ "handle": { "$secret": "door" }, "passphrase": "plain words" }));
    world.holds_none_of(&[PLAIN, "plain words", &key_of('o')]);
    let shown = format!("{submitted:?}");
    assert!(!shown.contains("plain words") && !shown.contains(&key_of('o')), "{shown}");
    (world, submitted)
}

fn leak() -> String {
    format!("{PLAIN}, plain words, {} and open%20s%C3%A9same", key_of('o'))
}

#[test]
fn outputs_and_changes_hold_no_secret() {
    let call = |_: Call| {
        let id = ResourceId::new("note", &leak()).unwrap();
        let output = json!({ "text": leak(), leak(): [leak()], "nested": json!({ "o": leak() }).to_string() });
        Ok(ToolOutput::new(output).with_delta(Delta::none().create(id, json!({ "v": leak() }))))
    };
    let (world, submitted) = leaking(TestTool::host("act").calling(call));
    assert!(matches!(submitted, Submitted::Committed { .. }), "{submitted:?}");
    let state = block_on(world.run.world());
    let (id, resource) = state.iter().next().unwrap();
    assert!(!format!("{id} {:?}", resource.value).contains(PLAIN));
}

#[test]
fn an_undo_keeps_handles_where_secrets_came_from_handles() {
    let call = |call: Call| {
        let undo = json!({ "handle": call.args["handle"], "text": leak(), "passphrase": call.args["passphrase"] });
        Ok(ToolOutput::new("done").undone_by(ToolName::new("unact").unwrap(), undo))
    };
    let (mut world, _) = leaking(TestTool::host("act").calling(call));
    let left = world.left();
    let undo = left.split('\n').find(|line| line.contains("\"undo\":")).unwrap();
    assert!(undo.contains(r#""handle":{"$secret":"door"},"passphrase":"[redacted:member:"#), "{undo}");
}

#[test]
fn numbers_that_are_secret_do_not_leave_as_numbers() {
    let fixture = Fixture::default();
    let secrets = MapSecrets::default().with("pin", Secret::new("83716254"));
    let tool = TestTool::host("act").calling(|_| Ok(ToolOutput::new(json!({ "n": 83_716_254, "m": 1_837_162_540 }))));
    let runtime = block_on(fixture.builder().secrets(secrets).tool(tool).open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    let submitted = submit(&run, "act", json!({ "pin": { "$secret": "pin" } }));
    assert!(!format!("{submitted:?}").contains("83716254"), "{submitted:?}");
}

#[test]
fn errors_panics_and_broken_postconditions_hold_no_secret() {
    let message = |submitted: &Submitted| match submitted {
        Submitted::Failed { cause, message, .. } => (*cause, message.clone()),
        other => panic!("{other:?}"),
    };
    let (_, submitted) = leaking(TestTool::host("act").calling(|_| Err(ToolError::NotDone(leak()))));
    assert_eq!(message(&submitted).0, FailureCause::NotDone);
    assert!(message(&submitted).1.starts_with("[redacted:secret:"), "{submitted:?}");
    let (_, submitted) = leaking(TestTool::host("act").calling(|_| Err(ToolError::Failed(leak()))));
    assert_eq!(message(&submitted).0, FailureCause::ToolFailed);
    let (_, submitted) = leaking(TestTool::host("act").calling(|_| panic!("{}", leak())));
    assert_eq!(message(&submitted).0, FailureCause::ToolPanicked);
    let broken = |tool: &mut TestTool| tool.postcondition = Some(Box::new(|()| Err(leak())));
    let (_, submitted) = leaking(TestTool::host("act").with(broken));
    assert_eq!(message(&submitted).0, FailureCause::Postcondition);
    let panics = |tool: &mut TestTool| tool.postcondition = Some(Box::new(|()| panic!("{}", leak())));
    let (_, submitted) = leaking(TestTool::host("act").with(panics));
    assert_eq!(message(&submitted).0, FailureCause::Postcondition);
    let fails = |tool: &mut TestTool| {
        tool.precondition = Some(Box::new(|()| Err(PreconditionFault { code: key_of('o') })));
    };
    let (_, submitted) = leaking(TestTool::host("act").with(fails));
    assert!(matches!(submitted, Submitted::Rejected { .. }));
}

#[test]
fn what_cannot_hold_a_placeholder_is_not_recorded_with_a_secret() {
    let fixture = Fixture::default();
    let secrets = MapSecrets::default().with("word", Secret::new("sesame"));
    let tool = TestTool::host("act").calling(|_| {
        let id = ResourceId::new("sesame", "x").unwrap();
        Ok(ToolOutput::new(1).with_delta(Delta::none().create(id, json!(1))))
    });
    let runtime = block_on(fixture.builder().secrets(secrets).tool(tool).open()).unwrap();
    let run = start(&runtime, &signed(writ()));
    let submitted = submit(&run, "act", json!({ "x": { "$secret": "word" } }));
    let Submitted::Failed { cause, .. } = submitted else { panic!("{submitted:?}") };
    assert_eq!(cause, FailureCause::BadResult);
    verified(&runtime, &run.id());
}

#[test]
fn no_part_of_a_secret_is_in_what_a_tool_says_before_its_call() {
    let cut_at = |at: usize| format!("{} {}", "x".repeat(at - 30), key_of('q'));
    let precondition = TestTool::world("act").with(|tool| {
        tool.precondition = Some(Box::new(move |()| Err(PreconditionFault { code: cut_at(MAX_QUOTE_TEXT) })));
    });
    let arguments = |fault: fn() -> ArgumentFault| {
        TestTool::world("act").with(|tool| tool.arguments = Some(Box::new(move |()| Err(fault()))))
    };
    let keyword = arguments(|| ArgumentFault { keyword: key_of('q'), pointer: "/x".into() });
    let pointer = arguments(|| ArgumentFault { keyword: "enum".into(), pointer: format!("/{}", key_of('q')) });
    for tool in [precondition, keyword, pointer] {
        let mut world = World::with(tool);
        let refusal = world.refused(json!({}));
        assert!(!format!("{refusal:?}").contains("ghp_"), "{refusal:?}");
        world.holds_none_of(&["ghp_"]);
    }
}

/// More levels than a stack has room for, when each costs some calls of functions.
const DEEP: usize = 6_000;

/// A value of so many arrays, each in the next.
fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(0), |inner, _| Value::Array(vec![inner]))
}

#[test]
fn arguments_that_are_nested_too_deep_are_refused_before_they_are_looked_through() {
    let world = World::with(echo());
    let submitted = block_on(world.run.submit(Intent::act("act", nested(DEEP))));
    assert!(matches!(submitted, Err(RunError::Intent(IntentError::Value(CanonError::TooDeep)))), "{submitted:?}");
    assert_eq!(world.calls.get(), 0);
    assert_eq!(Redactor::default().value(&mut nested(DEEP)).unwrap_err(), CanonError::TooDeep);
    assert!(Redactor::default().value(&mut nested(MAX_DEPTH)).is_ok());
}

#[test]
fn whatever_a_tool_returns_nested_too_deep_is_a_bad_result() {
    let outputs: [fn() -> ToolOutput; 3] = [
        || ToolOutput::new(nested(DEEP)),
        || ToolOutput::new(1).with_delta(Delta::none().create(kv("a"), nested(DEEP))),
        || ToolOutput::new(1).undone_by(ToolName::new("act").unwrap(), nested(DEEP)),
    ];
    for output in outputs {
        let world = World::with(TestTool::host("act").calling(move |_| Ok(output())));
        let submitted = world.submit(json!({ "x": { "$secret": "door" } }));
        let Submitted::Failed { cause, effect, message, .. } = submitted else { panic!("{submitted:?}") };
        assert_eq!((cause, effect), (FailureCause::BadResult, WhatHappened::Happened));
        assert!(message.contains("nested deeper than"), "{message}");
        verified(&world.runtime, &world.run.id());
    }
}

/// A cognition that says what it was told to, once, in pieces, and remembers what it was told.
struct Speaker(Option<Result<Turn, CognitionError>>, Arc<Mutex<String>>);

#[async_trait]
impl Cognition for Speaker {
    fn name(&self) -> String {
        format!("model of {}", key_of('n'))
    }

    async fn step(&mut self, context: &Context, events: &dyn TurnEvents) -> Result<Turn, CognitionError> {
        *self.1.lock().unwrap() += &format!("{context:?}");
        let key = key_of('p');
        let (left, right) = key.split_at(11);
        for piece in ["the key is ", left, right, "\nand \"password\": \"pl", "ain words\"\n"] {
            events.piece(TurnPiece::Text(piece.into()));
            events.piece(TurnPiece::Arguments { request: 0, tool: "act".into(), text: piece.into() });
        }
        self.0.take().unwrap_or_else(|| Ok(Turn::answer(format!("the key was {}", key_of('z')))))
    }
}

fn driven(turn: Result<Turn, CognitionError>) -> (World, String, String) {
    let mut world = World::with(echo());
    let told: Arc<Mutex<String>> = Arc::default();
    let mut speaker = Speaker(Some(turn), Arc::clone(&told));
    let summary = block_on(world.run.drive(&mut speaker, Limits::default())).unwrap();
    let told = told.lock().unwrap().clone();
    let secrets: Vec<String> = "npzqrs".chars().map(key_of).chain(["plain words".into()]).collect();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    world.holds_none_of(&secrets);
    for secret in secrets.into_iter().chain([key_of('T').as_str()]) {
        assert!(!told.contains(secret) && !format!("{summary:?}").contains(secret), "{secret}");
    }
    let left = world.left();
    (world, left, told)
}

#[test]
fn turns_texts_answers_and_pieces_hold_no_secret() {
    let call = Request::call("act", json!({ "token": key_of('q'), "password": "plain words" })).because(key_of('r'));
    let turn = Turn::calls([call, Request::call(key_of('s'), json!({}))]).saying(format!("now {}", key_of('q')));
    let (world, _, told) = driven(Ok(turn));
    assert_eq!(world.given(), json!({ "token": key_of('q'), "password": "plain words" }));
    assert!(told.contains("[redacted:github-token:"), "{told}");
    let (_, left, _) = driven(Err(CognitionError {
        code: key_of('q'),
        message: format!("401 for {}", key_of('r')),
        routing: None,
        usage: Default::default(),
    }));
    assert!(left.contains("401 for [redacted:github-token:"), "{left}");
}

#[test]
fn without_rules_only_what_was_given_by_handle_is_hidden() {
    let mut world = World::new(echo(), |builder| builder.redactor(Redactor::none()));
    let submitted = world.submit(json!({ "password": "p w", "door": { "$secret": "door" } }));
    let Submitted::Committed { output, .. } = submitted else { panic!("{submitted:?}") };
    assert_eq!(output["password"], "p w");
    assert!(!world.left().contains(PLAIN));
}

#[test]
fn the_environment_gives_only_the_variables_that_were_named() {
    let secrets = EnvSecrets::named(["PATH", "THYMOS_NO_SUCH_VARIABLE"]);
    assert_eq!(block_on(secrets.secret("PATH")).unwrap().expose(), std::env::var("PATH").unwrap());
    assert!(matches!(block_on(secrets.secret("HOME")), Err(SecretError::NotFound(_))));
    let unset = block_on(secrets.secret("THYMOS_NO_SUCH_VARIABLE")).unwrap_err();
    assert!(matches!(unset, SecretError::Unavailable { .. }), "{unset}");
    assert_eq!(format!("{:?}", Secret::new("sesame")), "Secret(not shown)");
}

#[test]
fn a_writ_says_which_secrets_a_tool_gets() {
    let when = serde_json::from_value(json!({ "field": "args.password[\"$secret\"]", "op": "eq", "value": "door" }));
    let fixture = Fixture::default();
    let runtime = block_on(fixture.builder().secrets(secrets()).tool(echo()).open()).unwrap();
    let run =
        start(&runtime, &signed(writ().scopes([openthymos::writ::Scope { when: Some(when.unwrap()), ..scope("*") }])));
    let submitted = submit(&run, "act", json!({ "password": { "$secret": "short" } }));
    let Submitted::Rejected { refusal, .. } = submitted else { panic!("{submitted:?}") };
    assert_eq!(refusal.code, Code::ConditionNotMet);
    let submitted = submit(&run, "act", json!({ "password": { "$secret": "door" } }));
    assert!(matches!(submitted, Submitted::Committed { .. }), "{submitted:?}");
}
