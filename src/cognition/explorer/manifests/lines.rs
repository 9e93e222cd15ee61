//! Manifests that are read line by line or tag by tag.

use super::{Facts, push, quoted, requirement_name};

pub(super) fn go(text: &str) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let mut block = false;
    for line in text.lines().map(str::trim) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("module"), name) => facts.name = name.map(str::to_owned),
            (Some("require"), Some("(")) => block = true,
            (Some(")"), _) => block = false,
            (Some("require"), Some(path)) => push(&mut facts.dependencies, path),
            (Some(path), Some(_)) if block && !path.starts_with("//") => push(&mut facts.dependencies, path),
            _ => {}
        }
    }
    Ok(facts)
}

pub(super) fn maven(text: &str) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let own = without(&without(&without(text, "parent"), "dependencies"), "build");
    let own = without(&own, "dependencyManagement");
    facts.name = element(&own, "artifactId");
    facts.version = element(&own, "version");
    facts.description = element(&own, "description");
    for dependency in text.split("<dependency>").skip(1) {
        let inside = dependency.split("</dependency>").next().unwrap_or_default();
        let list = match element(inside, "scope").as_deref() {
            Some("test") => &mut facts.dev_dependencies,
            _ => &mut facts.dependencies,
        };
        push(list, element(inside, "artifactId").unwrap_or_default());
    }
    if text.contains('<') { Ok(facts) } else { Err("no element of XML was found in it".into()) }
}

pub(super) fn csproj(text: &str) -> Result<Facts, String> {
    let mut facts =
        Facts { name: element(text, "AssemblyName"), version: element(text, "Version"), ..Facts::default() };
    facts.description = element(text, "Description");
    for reference in text.split("<PackageReference").skip(1) {
        let include = reference.split_once("Include=").and_then(|(_, rest)| quoted(rest));
        push(&mut facts.dependencies, include.unwrap_or_default());
    }
    if let Some(framework) = element(text, "TargetFramework") {
        facts.others.push(("target framework", vec![framework]));
    }
    Ok(facts)
}

pub(super) fn gradle(text: &str) -> Result<Facts, String> {
    let mut facts = Facts::default();
    for line in text.lines().map(str::trim) {
        let word: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
        let coordinates = || quoted(line).and_then(|text| Some(text.rsplit_once(':')?.0.to_owned()));
        match word.as_str() {
            "version" => facts.version = quoted(line).map(str::to_owned),
            "description" => facts.description = quoted(line).map(str::to_owned),
            "implementation" | "api" | "compileOnly" | "runtimeOnly" => facts.dependencies.extend(coordinates()),
            "testImplementation" | "testRuntimeOnly" => facts.dev_dependencies.extend(coordinates()),
            _ => {}
        }
    }
    Ok(facts)
}

pub(super) fn setup_py(text: &str) -> Result<Facts, String> {
    let keyword = |name: &str| {
        let line = text
            .lines()
            .map(str::trim)
            .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))?;
        quoted(line).map(str::to_owned)
    };
    let mut facts = Facts { name: keyword("name"), version: keyword("version"), ..Facts::default() };
    facts.description = keyword("description");
    let list = text
        .split_once("install_requires")
        .and_then(|(_, rest)| rest.split_once('['))
        .and_then(|(_, rest)| rest.split_once(']'));
    for item in list.map_or("", |(list, _)| list).split(',') {
        push(&mut facts.dependencies, quoted(item).and_then(requirement_name).unwrap_or_default());
    }
    Ok(facts)
}

pub(super) fn requirements(text: &str) -> Result<Facts, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '-']));
    Ok(Facts { dependencies: lines.filter_map(requirement_name).collect(), ..Facts::default() })
}

pub(super) fn gemfile(text: &str) -> Result<Facts, String> {
    let gems = text.lines().map(str::trim).filter_map(|line| line.strip_prefix("gem ").and_then(quoted));
    Ok(Facts { dependencies: gems.map(str::to_owned).collect(), ..Facts::default() })
}

pub(super) fn cmake(text: &str) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let mut targets = Vec::new();
    for line in text.lines().map(str::trim) {
        let Some((command, rest)) = line.split_once('(') else { continue };
        let mut words = rest.split([' ', ')', '\t']).filter(|word| !word.is_empty());
        let first = words.next().map(str::to_owned);
        match command.trim().to_ascii_lowercase().as_str() {
            "project" => {
                facts.name = first;
                facts.version = words.skip_while(|word| *word != "VERSION").nth(1).map(str::to_owned);
            }
            "add_executable" | "add_library" => targets.extend(first),
            "find_package" => facts.dependencies.extend(first),
            _ => {}
        }
    }
    facts.others.extend((!targets.is_empty()).then_some(("targets", targets)));
    Ok(facts)
}

pub(super) fn makefile(text: &str) -> Result<Facts, String> {
    let mut targets = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with(['\t', ' ', '.', '#'])) {
        if let Some((target, rest)) = line.split_once(':')
            && !rest.starts_with('=')
            && target.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c))
        {
            push(&mut targets, target);
        }
    }
    Ok(Facts { others: if targets.is_empty() { vec![] } else { vec![("targets", targets)] }, ..Facts::default() })
}

pub(super) fn dockerfile(text: &str) -> Result<Facts, String> {
    let named = |word: &str| {
        let mut found = Vec::new();
        for line in text.lines().map(str::trim) {
            let mut words = line.split_whitespace();
            if words.next().is_some_and(|first| first.eq_ignore_ascii_case(word)) {
                push(&mut found, words.find(|word| !word.starts_with("--")).unwrap_or_default());
            }
        }
        found
    };
    let lists = [("base images", named("FROM")), ("exposed ports", named("EXPOSE"))];
    Ok(Facts { others: lists.into_iter().filter(|(_, list)| !list.is_empty()).collect(), ..Facts::default() })
}

/// The text of the first element of that name.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once('<')?;
    Some(inside.trim().to_owned()).filter(|inside| !inside.is_empty())
}

/// The text without the elements of that name.
fn without(text: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut kept = String::new();
    for (index, part) in text.split(&open).enumerate() {
        let tail = if index == 0 { Some(part) } else { part.split_once(&close).map(|(_, tail)| tail) };
        kept.push_str(tail.unwrap_or_default());
    }
    kept
}
