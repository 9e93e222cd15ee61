use crate::cognition::explorer::{
    findings::Findings,
    manifests::{Facts, manifest_of},
    plan,
    text::{code, line, some, title_and_sentence},
};

/// The project's name, and what the README and the manifest say of it.
pub(super) fn heading(findings: &Findings<'_>) -> String {
    let own = facts_of(findings).filter(|(path, _)| !path.contains('/'));
    let named = own.filter_map(|(path, facts)| Some((path, facts.ok()?))).find(|(_, facts)| facts.name.is_some());
    let readme = plan::readme(findings).and_then(|path| Some((path, findings.files.get(path)?)));
    let (title, sentence) = readme.map(|(_, file)| title_and_sentence(&file.text)).unwrap_or_default();
    let mut text = String::new();
    match &named {
        Some((path, facts)) => {
            let version = facts.version.as_ref().map(|version| format!(" {}", line(version, 40)));
            let name = facts.name.as_deref().unwrap_or_default();
            text.push_str(&format!("# {}{}\n\n", line(name, 80), version.unwrap_or_default()));
            if let Some(description) = &facts.description {
                text.push_str(&format!("{} (from {})\n\n", line(description, 300), code(path)));
            }
        }
        None => {
            let title = title.as_deref().map_or_else(|| "A workspace without a name".into(), |title| line(title, 80));
            text.push_str(&format!("# {title}\n\n"));
            if !findings.listed.is_empty() && plan::manifests(findings).next().is_none() {
                text.push_str("There is no manifest that I know in what I saw.\n\n");
            }
        }
    }
    match readme {
        Some((path, _)) => {
            let title = title.map(|title| format!(" is titled “{}”", line(&title, 80)));
            let sentence = sentence.map(|sentence| format!(" begins: “{sentence}”"));
            let parts: Vec<_> = title.into_iter().chain(sentence).collect();
            let parts =
                if parts.is_empty() { " has neither a title nor a sentence".into() } else { parts.join(", and") };
            text.push_str(&format!("{}{parts}\n\n", code(path)));
        }
        None if findings.listed.get("") == Some(&false) && plan::readme(findings).is_none() => {
            text.push_str("There is no README.\n\n");
        }
        None => {}
    }
    text
}

/// What each manifest says.
pub(super) fn manifests(findings: &Findings<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, facts) in facts_of(findings) {
        let facts = match facts {
            Ok(facts) => facts,
            Err(why) => {
                lines.push(format!("{} could not be made out: {}", code(path), line(&why, 160)));
                continue;
            }
        };
        let mut parts = Vec::new();
        if let Some(name) = &facts.name {
            let version = facts.version.as_ref().map(|version| format!(", version {}", line(version, 40)));
            parts.push(format!("names {}{}", code(name), version.unwrap_or_default()));
        }
        let lists = [("dependencies", &facts.dependencies), ("development dependencies", &facts.dev_dependencies)];
        let others = facts.others.iter().map(|(label, list)| (*label, list));
        for (label, list) in lists.into_iter().chain(others).filter(|(_, list)| !list.is_empty()) {
            parts.push(format!("{label} ({}): {}", list.len(), some(list, 10)));
        }
        if parts.is_empty() {
            parts.push("says nothing that I look for".into());
        }
        let cut = findings.files.get(path).is_some_and(|file| file.cut);
        let cut = if cut { " (only its beginning was read)" } else { "" };
        lines.push(format!("{}: {}{cut}", code(path), parts.join("; ")));
    }
    lines
}

fn facts_of<'f>(findings: &'f Findings<'_>) -> impl Iterator<Item = (&'f str, Result<Facts, String>)> {
    plan::manifests(findings).filter_map(|path| {
        let file = findings.files.get(path)?;
        let facts = manifest_of(path)?.1.read(&file.text);
        let cut = if file.cut { " (only its beginning was read)" } else { "" };
        Some((path, facts.map_err(|why| format!("{why}{cut}"))))
    })
}
