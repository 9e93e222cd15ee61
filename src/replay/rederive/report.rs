use std::collections::BTreeMap;

use crate::{
    canon::{ContractHash, PolicySetHash},
    compile::COMPILER,
};

/// How many decisions were derived again. The three together are all decisions of the run, or of the store's runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rederived {
    /// How many follow from what is recorded alone.
    pub derived: u64,
    /// How many follow with a verdict of Rust code, which was taken as it is recorded.
    pub asserted: u64,
    /// How many could not be derived again, by what is missing.
    pub not_derived: BTreeMap<Gap, u64>,
}

/// Why decisions cannot be derived again here. They may be good or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Gap {
    /// They were made by another version of the compiler.
    #[error("they need compiler {0}, and this build has compiler {COMPILER}")]
    Compiler(u32),
    /// They were made by a build that judges schemas.
    #[error("they need a build with the feature `schema`")]
    Schema,
    /// The arguments, or a value of the world that a rule reads, are not there any more.
    #[error("values that they rest on are erased")]
    Erased,
    /// A contract that was registered cannot be made ready.
    #[error("contract {0}, which was registered, is not at hand, or cannot be used by this build")]
    Contract(ContractHash),
    /// A policy set cannot be made ready.
    #[error("policy set {0} is not at hand, or cannot be used by this build")]
    PolicySet(PolicySetHash),
    /// Policies written in Rust did not say what they think of them: they were not asked, or about another writ.
    #[error("policies written in Rust were not asked about them, or about another writ")]
    Unasked,
    /// They were made on a branch, whose world began elsewhere.
    #[error("the world of a branch begins on another run")]
    Branch,
}

impl Rederived {
    /// How many decisions there are.
    pub fn decisions(&self) -> u64 {
        self.derived + self.asserted + self.not_derived.values().sum::<u64>()
    }

    /// What makes a verification incomplete, in words.
    pub fn incomplete(&self) -> impl Iterator<Item = String> {
        self.not_derived.iter().map(|(gap, decisions)| match decisions {
            1 => format!("1 decision was not derived again: {gap}"),
            decisions => format!("{decisions} decisions were not derived again: {gap}"),
        })
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.derived += other.derived;
        self.asserted += other.asserted;
        for (gap, decisions) in &other.not_derived {
            *self.not_derived.entry(*gap).or_default() += decisions;
        }
    }
}

impl std::fmt::Display for Rederived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let again = self.derived + self.asserted;
        write!(f, "{again} of {} decisions derived again", self.decisions())?;
        match self.asserted {
            0 => Ok(()),
            asserted => write!(f, ", {asserted} with recorded verdicts of Rust code"),
        }
    }
}
