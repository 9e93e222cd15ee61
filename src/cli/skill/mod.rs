//! `thymos skill`: the skills of a home.

mod change;
mod page;
mod registry;

pub(super) use registry::Registry;

use serde_json::{Value, json};

use super::{
    budget,
    failure::Done,
    home::Home,
    out::Out,
    style::{plain, prose},
};

/// Make, list, show and tune skills: instructions and limits that narrow the runs that are bound to them
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    List(List),
    Show(Show),
    New(change::New),
    Tune(change::Tune),
}

/// List skills in their latest versions
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show a skill with its hash
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thymos skill show reviewer\n  thymos skill show reviewer@1 --json")]
pub(super) struct Show {
    /// Skill: its name for the latest version, or NAME@VERSION
    skill: String,
    /// Print the definition and its hash as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> Done {
    match command {
        Command::List(args) => list(args),
        Command::Show(args) => show(args),
        Command::New(args) => change::new(args),
        Command::Tune(args) => change::tune(args),
    }
}

fn list(args: &List) -> Done {
    let registry = Registry::of(&Home::locate()?);
    let mut skills = Vec::new();
    for name in registry.names()? {
        if let Some(latest) = registry.latest(&name)? {
            skills.push((latest, registry.versions(&name)?));
        }
    }
    let mut out = Out::new();
    if args.json {
        let skill = |(latest, versions): &(registry::Kept, Vec<_>)| json!({"name": latest.definition.name, "version": latest.definition.version, "versions": versions, "hash": latest.hash});
        out.json(&skills.iter().map(skill).collect::<Value>());
        return out.finish();
    }
    if skills.is_empty() {
        out.line("no skills yet: `thymos skill new --help` tells how to make one");
        return out.finish();
    }
    let row = |(registry::Kept { definition: skill, hash }, _): &(_, _)| {
        let tools: Vec<_> = skill.tools.iter().map(ToString::to_string).collect();
        let limits = format!("{}; up to {}; {}", tools.join(", "), skill.effect_ceiling, budget::cap(&skill.budget));
        vec![skill.reference(), hash.short(), plain(&limits)]
    };
    out.table(&["SKILL", "HASH", "ALLOWS"], &skills.iter().map(row).collect::<Vec<_>>());
    out.finish()
}

fn show(args: &Show) -> Done {
    let kept = Registry::of(&Home::locate()?).find(&args.skill)?;
    let mut out = Out::new();
    if args.json {
        out.json(&json!(kept));
    } else {
        prose(&page::page(&kept)).lines().for_each(|line| out.line(line));
    }
    out.finish()
}
