//! Where a tool is not what was approved or pinned, what of it is another is shown part by part.

use std::{fs, sync::Arc};

use async_trait::async_trait;
use futures::executor::block_on;
use openthymos::{
    Intent, Runtime, Submitted, ToolContract,
    contract::{Contract, Effect, Risk, SealedContract, Touches},
    crypto::{NamedKey, Role, SecretKey},
    ledger::redb::RedbLedger,
    tool::{Call, ToolError, ToolOutput},
    writ::{Amounts, Scope, WritBuilder},
};
use serde_json::{Value, json};

use crate::host::{Host, Ran};

const AGAIN: &str = r#"[[{"tool":"kv_set","args":{"key":"a","value":1}}],{"answer":"so be it"}]"#;
const REST: &str = r#"[{"answer":"so be it"}]"#;

/// `kv_set` as it was once: critical, and with another schema.
struct Earlier;

#[async_trait]
impl ToolContract for Earlier {
    fn contract(&self) -> Contract {
        Contract {
            compensable: true,
            description: "as it was once".into(),
            effect: Effect::Write,
            name: "kv_set".parse().unwrap(),
            risk: Risk::Critical,
            schema: json!({"type": "object", "properties": {"key": {"type": "string", "maxLength": 7}, "value": {}}}),
            touches: Touches::World,
            version: "0".into(),
        }
    }

    async fn call(&self, _: Call) -> Result<ToolOutput, ToolError> {
        Err(ToolError::Failed("nobody approved this".into()))
    }
}

/// A host whose ledger, made by a program with the same keys, has a call of the earlier tool that waits, or a run whose writ pins it.
fn earlier(pinned: bool) -> Host {
    let host = Host::new();
    host.good(&["keys", "new", "approver"]);
    fs::create_dir_all(host.ledger().parent().unwrap()).unwrap();
    let key = |name: &str| {
        let text = fs::read_to_string(host.home().join(format!("keys/{name}.key"))).unwrap();
        SecretKey::from_hex(&text).unwrap()
    };
    let (root, agent) = (key("root"), key("agent"));
    let named = NamedKey::new("root", root.public_key());
    block_on(async {
        let runtime = Runtime::builder()
            .ledger(RedbLedger::open(host.ledger()).unwrap())
            .signer("runtime", key("runtime"))
            .trust(named.clone(), [Role::WritIssuer, Role::PolicyIssuer, Role::Approver])
            .tools([Arc::new(Earlier) as Arc<dyn ToolContract>])
            .open()
            .await
            .unwrap();
        let pin = SealedContract::new(Earlier.contract()).unwrap().hash();
        let scope = Scope::tools("kv_set".parse().unwrap());
        let scope = if pinned { Scope { contracts: Some(vec![pin]), ..scope } } else { scope };
        let writ = WritBuilder::root(named, NamedKey::new("agent", agent.public_key()))
            .stores([runtime.store_id()])
            .scopes([scope])
            .effects_up_to(Effect::Write)
            .budget(Amounts { tool_calls: 10, wall_clock_ms: 600_000, ..Amounts::ZERO })
            .sign(&root)
            .await
            .unwrap();
        let run = runtime.start("keep it", &writ, &agent).await.unwrap();
        if !pinned {
            let submitted = run.submit(Intent::act("kv_set", json!({"key": "a", "value": 1}))).await.unwrap();
            assert!(matches!(submitted, Submitted::Suspended { .. }), "{submitted:?}");
        }
    });
    host
}

/// All that differs is shown, and nothing else.
#[track_caller]
fn shows(told: &str) {
    for part in
        ["/version", "- \"0\"", "/risk", "- \"critical\"", "/schema/properties/key/maxLength", "- 7", "/description"]
    {
        assert!(told.contains(part), "`{part}` is missing in {told}");
    }
    assert!(!told.contains("/effect") && !told.contains("/touches"), "{told}");
}

fn resumed(host: &Host, script: &str, more: &[&str]) -> Ran {
    let script = host.file("again.json", script);
    host.thymos(&[&["resume", "last", "--script", &script], more].concat())
}

#[test]
fn a_tool_that_is_another_since_it_was_asked_for() {
    let host = earlier(false);
    let waiting = host.good(&["approvals"]);
    assert!(waiting.contains("its tool is not the one that it was asked for with"), "{waiting}");
    shows(&waiting);
    let listed = host.json(&["approvals", "--json"]);
    let differences = listed[0]["changed_contract"]["differences"].as_array().unwrap();
    assert!(
        differences.contains(&json!({"pointer": "/schema/properties/key/maxLength", "was": 7, "is": 1024})),
        "{listed}"
    );
    let run = listed[0]["run"].as_str().unwrap();
    host.good(&["approve", run, &listed[0]["seq"].to_string()]);
    let ran = resumed(&host, REST, &[]);
    assert!(ran.out.contains("at registry: contract_changed") && ran.out.contains("changed: tool kv_set"), "{ran:#?}");
    shows(&ran.out);
    let audit = host.good(&["audit", "last"]);
    shows(&audit);
    let audit = host.json(&["audit", "last", "--json"]);
    let entries = audit["entries"].as_array().unwrap();
    let refused: Vec<&Value> = entries.iter().filter(|entry| entry["contract"].is_object()).collect();
    assert_eq!((refused.len(), &refused[0]["kind"]), (1, &json!("rejection")));
    assert_eq!(refused[0]["contract"], listed[0]["changed_contract"]);
}

#[test]
fn a_tool_that_is_another_than_the_pinned_one() {
    let host = earlier(true);
    let ran = resumed(&host, AGAIN, &["--json"]);
    let summary: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    assert_eq!(summary["changed_contracts"][0]["tool"], "kv_set", "{ran:#?}");
    let audit = host.good(&["audit", "last"]);
    assert!(audit.contains("contract_not_pinned"), "{audit}");
    shows(&audit);
    // What was not refused for its contract has nothing to show.
    host.play(AGAIN);
    assert!(!host.good(&["audit", "last"]).contains("/schema"));
}
