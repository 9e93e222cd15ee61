//! A line-based reader of the TOML that manifests use: sections, `key = value`, strings, and lists of strings that
//! may go over several lines. Anything else is skipped.

use super::{Facts, push, quoted, requirement_name};

/// One `key = value`, under the section that it stands in.
struct Entry {
    section: String,
    key: String,
    value: String,
}

pub(super) fn cargo(text: &str) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let mut members = Vec::new();
    for section in sections(text) {
        let name = section.rsplit_once("dependencies.").map(|(before, name)| (before.ends_with("dev-"), name));
        match name {
            Some((false, name)) => push(&mut facts.dependencies, name.trim_matches('"')),
            Some((true, name)) => push(&mut facts.dev_dependencies, name.trim_matches('"')),
            None => {}
        }
    }
    let mut named = Vec::new();
    for Entry { section, key, value } in entries(text) {
        let text = || quoted(&value).map(str::to_owned);
        match (section.as_str(), key.as_str()) {
            ("package", "name") => facts.name = text(),
            ("package", "version") => facts.version = text(),
            ("package", "description") => facts.description = text(),
            ("lib" | "bin", "path") => facts.starts.extend(text()),
            ("workspace", "members") => members = strings(&value),
            (section, key) if section.ends_with("dev-dependencies") => push(&mut facts.dev_dependencies, base(key)),
            (section, key) if section.ends_with("dependencies") && !section.ends_with("build-dependencies") => {
                push(&mut named, base(key));
            }
            _ => {}
        }
    }
    named.append(&mut facts.dependencies);
    facts.dependencies = named;
    if !members.is_empty() {
        facts.others.push(("workspace members", members));
    }
    known(facts, text)
}

pub(super) fn python(text: &str) -> Result<Facts, String> {
    let mut facts = Facts::default();
    for Entry { section, key, value } in entries(text) {
        let text = || quoted(&value).map(str::to_owned);
        match (section.as_str(), key.as_str()) {
            ("project" | "tool.poetry", "name") => facts.name = text(),
            ("project" | "tool.poetry", "version") => facts.version = text(),
            ("project" | "tool.poetry", "description") => facts.description = text(),
            ("project", "dependencies") => {
                strings(&value)
                    .iter()
                    .filter_map(|item| requirement_name(item))
                    .for_each(|name| push(&mut facts.dependencies, name));
            }
            ("tool.poetry.dependencies", key) if key != "python" => push(&mut facts.dependencies, base(key)),
            ("tool.poetry.dev-dependencies" | "tool.poetry.group.dev.dependencies", key) => {
                push(&mut facts.dev_dependencies, base(key));
            }
            ("project.scripts" | "tool.poetry.scripts", _) => {
                let module = text().and_then(|text| Some(text.split_once(':')?.0.replace('.', "/")));
                facts.starts.extend(module.map(|module| format!("{module}.py")));
            }
            _ => {}
        }
    }
    known(facts, text)
}

fn known(facts: Facts, text: &str) -> Result<Facts, String> {
    if facts == Facts::default() && sections(text).next().is_none() && !text.trim().is_empty() {
        return Err("no section of TOML was found in it".into());
    }
    Ok(facts)
}

/// `tokio.workspace` is about `tokio`.
fn base(key: &str) -> &str {
    key.split('.').next().unwrap_or(key)
}

fn header(line: &str) -> Option<&str> {
    let line = uncommented(line).trim();
    Some(line.strip_prefix('[')?.strip_suffix(']')?.trim_matches(['[', ']', ' '])).filter(|name| !name.is_empty())
}

fn sections(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.starts_with('[')).filter_map(header)
}

fn entries(text: &str) -> Vec<Entry> {
    let mut section = String::new();
    let mut found: Vec<Entry> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let line = uncommented(line).trim();
        if open {
            if let Some(last) = found.last_mut() {
                last.value.push_str(line);
                open = !line.ends_with(']');
            }
        } else if let Some(name) = header(line) {
            name.clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.trim().trim_matches(['"', '\'']).to_owned();
            let value = value.trim().to_owned();
            open = value.starts_with('[') && !value.ends_with(']');
            found.push(Entry { section: section.clone(), key, value });
        }
    }
    found
}

/// The line without a comment; `#` within quotes stays.
fn uncommented(line: &str) -> &str {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') => return line.get(..at).unwrap_or(line),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    line
}

fn strings(list: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = list;
    while let Some(start) = rest.find(['"', '\'']) {
        let quote = rest.get(start..).and_then(|rest| rest.chars().next()).unwrap_or('"');
        let Some((inside, after)) = rest.get(start + 1..).and_then(|rest| rest.split_once(quote)) else { break };
        found.push(inside.to_owned());
        rest = after;
    }
    found
}
