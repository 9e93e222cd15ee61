//! What a router gets back: four members for each decision, of runs that verify.

use serde_json::{Value, json};

use crate::host::Host;

fn evidence(number: u8, route: &str) -> Value {
    let estimate = |name: &str| json!({"cost_usd_millicents": 1, "latency_ms": 2, "route": name});
    let hash = format!("{number:02x}").repeat(32);
    json!({"alternatives": [estimate("other")], "confidence_bp": 9_050, "decision_hash": hash, "selected": estimate(route)})
}

#[test]
fn routing_tells_how_routes_did_and_nothing_else() {
    let host = Host::new();
    let call = json!({"tool": "kv_set", "args": {"key": "MARK", "value": "MARK"}, "rationale": "MARK"});
    let script = json!([
        {"calls": [call], "say": "MARK", "routing": evidence(1, "small")},
        {"answer": "MARK", "routing": evidence(2, "large")},
    ]);
    host.play(&script.to_string());
    host.play(&json!([{"answer": "no router"}]).to_string());
    let runs = host.json(&["runs", "--json"]);
    let routed = runs[1]["run"].as_str().unwrap();
    let out = host.good(&["routing", routed, "last", "--json"]);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<_> =
        lines.iter().map(|line| (line["selected"].as_str().unwrap(), line["status"].as_str().unwrap())).collect();
    assert_eq!(found, [("small", "proposed"), ("large", "answered")]);
    for line in &lines {
        let members: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["decision_hash", "latency_ms", "selected", "status"]);
    }
    assert!(!out.contains("MARK"), "{out}");
    let table = host.good(&["routing", routed]);
    assert!(table.contains("010101010101  small     proposed") && !table.contains("MARK"), "{table}");
    assert!(host.good(&["routing", "last"]).contains("no router left evidence"));
    let audit = host.good(&["audit", routed]);
    assert!(audit.contains("small, proposed in") && audit.contains("90.50 %"), "{audit}");
    host.thymos(&["routing", "ffff"]).is_usage("no run");
}
