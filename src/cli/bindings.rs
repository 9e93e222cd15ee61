//! The skills that a run is to be bound to, and the values of their parameters.

use serde_json::{Map, Value};

use super::{
    failure::{Done, Failure},
    home::Home,
    skill::Registry,
};
use crate::{canon::shown, runtime::Binding, writ::Skill};

/// Skills that narrow a run.
#[derive(Debug, clap::Args)]
pub(super) struct Skills {
    /// Bind the run to this skill, which narrows its writ; may be given several times
    #[arg(long, value_name = "NAME[@VERSION]")]
    skill: Vec<String>,
    /// Set a parameter of the skills that have it; may be given several times
    #[arg(long, value_name = "NAME=VALUE", requires = "skill")]
    param: Vec<String>,
}

impl Skills {
    /// The skills with their parameters, found to fit.
    pub(super) fn bindings(&self, home: &Home) -> Done<Vec<Binding>> {
        let registry = Registry::of(home);
        let mut given = Map::new();
        for param in &self.param {
            let Some((name, value)) = param.split_once('=') else {
                return Err(Failure::usage(format!("parameter `{}`: expected NAME=VALUE", shown(param))));
            };
            if given.insert(name.into(), value.into()).is_some() {
                return Err(Failure::usage(format!("parameter `{}` is given twice", shown(name))));
            }
        }
        let (mut bindings, mut unused) = (Vec::new(), given.keys().cloned().collect::<Vec<_>>());
        for named in &self.skill {
            let skill = registry.find(named)?.definition;
            let values: Map<_, _> = given
                .iter()
                .filter_map(|(name, text)| Some((name.clone(), value(&skill, name, text.as_str()?)?)))
                .collect();
            unused.retain(|name| !values.contains_key(name));
            let values = Value::Object(values);
            let fits = skill.parameters(values.clone());
            fits.map_err(|fault| Failure::usage(format!("skill `{}`: {fault}", skill.reference())))?;
            bindings.push(Binding::new(skill).with(values));
        }
        match unused.first() {
            None => Ok(bindings),
            Some(name) => Err(Failure::usage(format!("none of the skills has a parameter `{}`", shown(name)))
                .hint("`thymos skill show` tells which it has")),
        }
    }
}

/// The value of a parameter that a skill declares: a text is taken as it is where the schema asks for one, and otherwise as
/// JSON where it is any.
fn value(skill: &Skill, name: &str, text: &str) -> Option<Value> {
    let schema = skill.parameters.get("properties")?.get(name)?;
    let json = || crate::canon::parse(text.as_bytes(), text.len()).ok();
    let value = if schema.get("type") == Some(&Value::from("string")) { None } else { json() };
    Some(value.unwrap_or_else(|| text.into()))
}
