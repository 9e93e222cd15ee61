//! Binding a run to skills: from the entry that says so on, and for good.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{core::Core, error::RunError, journal::Journal, past, secrets};
use crate::{
    canon::{Blob, EntryId, LimitError, Salt},
    ledger::{Draft, Kind, record::SkillBound},
    writ::{BoundSkill, MAX_SKILLS, Narrowing, Skill, SkillFault, narrow},
};

/// A skill to bind a run to, with values for its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    skill: Skill,
    parameters: Value,
}

impl Binding {
    /// A skill whose parameters have their defaults, if it has any.
    pub fn new(skill: Skill) -> Self {
        Self { skill, parameters: Value::Object(Map::new()) }
    }

    /// Sets values for its parameters, an object. Secrets in them are redacted.
    #[must_use]
    pub fn with(self, parameters: Value) -> Self {
        Self { parameters, ..self }
    }
}

/// Why a run was not bound to a skill. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The skill cannot be used, or not with these parameters.
    #[error("skill `{skill}`: {fault}")]
    Skill {
        /// The skill, as `name@version`.
        skill: String,
        /// What is wrong.
        fault: SkillFault,
    },
    /// The definition, which is recorded as it is, holds a secret.
    #[error("skill `{skill}`: rule `{rule}` finds a secret in its definition, which is recorded for good: take it out")]
    SecretInClear {
        /// The skill, as `name@version`.
        skill: String,
        /// The rule.
        rule: String,
    },
    /// The run is bound to as many as it may be.
    #[error(transparent)]
    TooMany(#[from] LimitError),
    /// The run has ended, or the ledger failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// A skill that is ready to be recorded.
pub(super) struct Sealed {
    pub(super) draft: Draft,
    bound: SkillBound,
}

impl Sealed {
    /// It, as bound by the entry at `seq`.
    pub(super) fn bound(&self, seq: u64, journal: &Journal) -> BoundSkill {
        let SkillBound { definition, parameters, .. } = &self.bound;
        let skill = Arc::clone(definition);
        BoundSkill {
            parameters: *parameters,
            seq,
            skill,
            spent_before: journal.used.spent.plus(&journal.children.granted()),
        }
    }
}

/// Seals skills that a run is to be bound to, beside those that it is.
pub(super) fn seal(core: &Core, before: usize, bindings: Vec<Binding>) -> Result<Vec<Sealed>, BindError> {
    LimitError::check("skills of one run", before.saturating_add(bindings.len()), MAX_SKILLS)?;
    bindings.into_iter().map(|binding| seal_one(core, binding)).collect()
}

fn seal_one(core: &Core, Binding { skill, parameters: mut values }: Binding) -> Result<Sealed, BindError> {
    let named = skill.reference();
    let faulty = |fault| BindError::Skill { skill: named.clone(), fault };
    skill.check().map_err(faulty)?;
    let mut definition = serde_json::to_value(&skill).unwrap_or_default();
    let found = core.redactor.value(&mut definition).map_err(RunError::from)?;
    if let Some(finding) = found.iter().next() {
        return Err(BindError::SecretInClear { skill: named, rule: finding.rule.to_string() });
    }
    core.redactor.value(&mut values).map_err(RunError::from)?;
    let parameters = skill.parameters(values).map_err(faulty)?;
    let mut blobs = Vec::new();
    if !parameters.is_empty() {
        let mut salt = Salt([0; 16]);
        core.host.entropy.fill(&mut salt.0).map_err(RunError::from)?;
        blobs.push(Blob::seal(parameters.as_value(), salt).map_err(RunError::from)?);
    }
    let hash = skill.hash().map_err(RunError::from)?;
    let parameters = blobs.first().map(Blob::commitment);
    let bound = SkillBound { definition: Arc::new(skill), hash, parameters };
    let draft = Draft::seal(Kind::Skill, &bound, blobs).map_err(RunError::from)?;
    Ok(Sealed { draft, bound })
}

/// Binds a run that is under way.
pub(super) async fn bind(core: &Core, journal: &mut Journal, binding: Binding) -> Result<EntryId, BindError> {
    journal.check_open()?;
    for sealed in seal(core, journal.skills.len(), vec![binding])? {
        let bound = sealed.bound(journal.next_seq, journal);
        journal.append(core, &core.authority.state(), sealed.draft, vec![]).await?;
        journal.skills.push(bound);
    }
    Ok(journal.head)
}

impl Journal {
    /// What the skills that the run is bound to still allow.
    ///
    /// A run uses what its own entries spend and hold, and what it hands down: all that its children may spend.
    pub(super) fn narrowings(&self) -> Vec<Narrowing> {
        if self.skills.is_empty() {
            return Vec::new();
        }
        narrow(&self.skills, &self.used.spent.plus(&self.used.held).plus(&self.children.granted()))
    }
}

/// What a skill tells the model.
pub(super) async fn instructions(core: &Core, journal: &Journal, bound: &BoundSkill) -> Result<String, RunError> {
    let values = match &bound.parameters {
        Some(commitment) => past::blob(&*core.store, &journal.trajectory, bound.seq, commitment).await?,
        None => None,
    };
    let values = values.and_then(|blob| blob.value().ok()).unwrap_or_default();
    Ok(secrets::text(&core.redactor, &bound.skill.instructions_with(&values)))
}
