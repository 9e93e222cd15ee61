//! Manifests in JSON.

use serde_json::{Map, Value};

use super::Facts;

pub(super) fn npm(text: &str) -> Result<Facts, String> {
    let members = object(text)?;
    let mut facts = common(&members);
    facts.dependencies = keys(&members, "dependencies");
    facts.dev_dependencies = keys(&members, "devDependencies");
    let bins: Vec<&Value> = match members.get("bin") {
        Some(Value::Object(bins)) => bins.values().collect(),
        Some(bin) => vec![bin],
        None => Vec::new(),
    };
    let starts = ["main", "module"].into_iter().filter_map(|name| members.get(name)).chain(bins);
    let starts = starts.filter_map(Value::as_str).map(|path| path.trim_start_matches("./").to_owned());
    facts.starts = starts.filter(|path| !path.is_empty()).collect();
    let scripts = keys(&members, "scripts");
    if !scripts.is_empty() {
        facts.others.push(("scripts", scripts));
    }
    Ok(facts)
}

pub(super) fn composer(text: &str) -> Result<Facts, String> {
    let members = object(text)?;
    let mut facts = common(&members);
    facts.dependencies = keys(&members, "require");
    facts.dev_dependencies = keys(&members, "require-dev");
    Ok(facts)
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err("it is JSON, but not an object".into()),
        Err(error) => Err(format!("it is not JSON: {error}")),
    }
}

fn common(members: &Map<String, Value>) -> Facts {
    let text = |name| members.get(name).and_then(Value::as_str).map(str::to_owned);
    Facts { name: text("name"), version: text("version"), description: text("description"), ..Facts::default() }
}

/// Sorted, since a host's features may reorder the map.
fn keys(members: &Map<String, Value>, name: &str) -> Vec<String> {
    let mut keys: Vec<_> =
        members.get(name).and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned().collect();
    keys.sort();
    keys
}
