//! `thymos skill new` and `tune`: what is given is taken over into a definition.

use std::{num::NonZeroU32, path::PathBuf};

use serde_json::json;
use similar::TextDiff;

use super::{
    page::page,
    registry::{Kept, Registry},
};
use crate::{
    canon::{MAX_RECORD_BYTES, parse},
    cli::{
        budget::Budget,
        failure::{Done, Failure},
        home::Home,
        out::Out,
        style::{BOLD, of_change, paint, prose},
    },
    contract::Effect,
    writ::{Cap, Skill, SkillName, ToolPattern},
};

/// Make a skill: version 1 of it
///
/// What is not given: no instructions, effects up to read, no cap, no parameters.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos skill new reviewer --instructions review.md --tools 'fs_read,grep' --budget tool_calls=40
  thymos skill new reviewer --from reviewer.json")]
pub(in crate::cli) struct New {
    /// Its name: a-z, digits, `-` and `_`
    name: SkillName,
    /// Begin with the definition in this file, as `thymos skill show --json` prints it
    #[arg(long, value_name = "FILE", required_unless_present = "tools")]
    from: Option<PathBuf>,
    #[command(flatten)]
    change: Change,
}

/// Make the next version of a skill, and show what it changes
///
/// What is not given stays as it is in the latest version. Versions that are there stay as they are, and so do runs that are
/// bound to them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  thymos skill tune reviewer --budget tool_calls=20")]
pub(in crate::cli) struct Tune {
    /// Its name
    name: SkillName,
    #[command(flatten)]
    change: Change,
}

/// The parts of a definition.
#[derive(Debug, clap::Args)]
struct Change {
    /// What the model is told: a text file, with {name} where a parameter's value goes
    #[arg(long, value_name = "FILE")]
    instructions: Option<PathBuf>,
    /// The tools that may be called, by name or glob, such as `fs_*,grep`
    #[arg(long, value_name = "GLOBS", value_delimiter = ',')]
    tools: Option<Vec<ToolPattern>>,
    /// The greatest effect that a tool may have: read, write, external or irreversible
    #[arg(long, value_name = "EFFECT")]
    effects: Option<Effect>,
    /// The most that a run may spend, such as `tool_calls=50,seconds=60,tokens=10000,usd=0.50`; the rest is not limited
    #[arg(long, value_name = "LIMITS")]
    budget: Option<Budget>,
    /// Let the run spend whatever its writ grants
    #[arg(long, conflicts_with = "budget")]
    no_budget: bool,
    /// JSON Schema of the parameters: a file with an object schema
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
}

impl Change {
    fn over(&self, skill: Skill) -> Done<Skill> {
        let instructions = self.instructions.as_ref().map(text).transpose()?.unwrap_or(skill.instructions);
        let parameters = match &self.parameters {
            Some(path) => {
                let wrong = |error| Failure::usage(format!("parameters `{}`: {error}", path.display()));
                parse(text(path)?.as_bytes(), MAX_RECORD_BYTES).map_err(wrong)?
            }
            None => skill.parameters,
        };
        let budget = if self.no_budget { Cap::NONE } else { self.budget.map_or(skill.budget, Cap::from) };
        Ok(Skill {
            budget,
            effect_ceiling: self.effects.unwrap_or(skill.effect_ceiling),
            instructions,
            parameters,
            tools: self.tools.clone().unwrap_or(skill.tools),
            ..skill
        })
    }
}

fn text(path: &PathBuf) -> Done<String> {
    std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("`{}`: {error}", path.display())))
}

pub(super) fn new(args: &New) -> Done {
    let home = Home::locate()?;
    let registry = Registry::of(&home);
    if let Some(latest) = registry.latest(&args.name)? {
        return Err(Failure::usage(format!("there is a skill `{}` already", latest.definition.reference()))
            .hint(format_args!("`thymos skill tune {}` makes the next version", args.name)));
    }
    let (name, version) = (args.name.clone(), NonZeroU32::MIN);
    let begin = match &args.from {
        Some(path) => Skill { name, version, ..Kept::read(path)?.definition },
        None => Skill {
            budget: Cap::NONE,
            effect_ceiling: Effect::Read,
            instructions: String::new(),
            name,
            parameters: json!({"type": "object"}),
            tools: vec![],
            version,
        },
    };
    let kept = Kept::new(args.change.over(begin)?)?;
    home.ensure()?;
    registry.keep(&kept)?;
    made(&kept, "")
}

pub(super) fn tune(args: &Tune) -> Done {
    let home = Home::locate()?;
    let registry = Registry::of(&home);
    let Some(latest) = registry.latest(&args.name)? else {
        return Err(Failure::usage(format!("no skill `{}`", args.name))
            .hint(format_args!("`thymos skill new {}` makes its first version", args.name)));
    };
    let changed = args.change.over(latest.definition.clone())?;
    if changed == latest.definition {
        return Err(Failure::usage(format!("nothing of skill `{}` changes", changed.reference()))
            .hint("say what does: `thymos skill tune --help`"));
    }
    let version = changed.version.checked_add(1).ok_or_else(|| Failure::usage("there are no more versions"))?;
    let kept = Kept::new(Skill { version, ..changed })?;
    registry.keep(&kept)?;
    let (old, new) = (page(&latest), page(&kept));
    let names = (latest.definition.reference(), kept.definition.reference());
    made(&kept, &TextDiff::from_lines(&old, &new).unified_diff().header(&names.0, &names.1).to_string())
}

fn made(kept: &Kept, change: &str) -> Done {
    let mut out = Out::new();
    prose(change).lines().for_each(|line| out.line(paint(of_change(line), line)));
    out.line(format_args!("{} {}", paint(BOLD, kept.definition.reference()), kept.hash));
    out.finish()
}
