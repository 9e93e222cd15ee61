use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Bundle, BundleError, Coordination, Gates, PolicyDescriptor, PolicyEngine, PolicySet, SignedBundle};
use crate::canon::{CanonError, MAX_RECORD_BYTES, PolicySetHash, domain, to_canonical};

/// All that a policy set is made of, as a ledger holds it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySetDefinition {
    /// The bundles; their rules, one after the other, are the set's rules.
    pub bundles: Vec<BundleEntry>,
    /// How many runs may come of one; [`Coordination::default`] when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coordination: Option<Coordination>,
    /// The policies written in Rust.
    pub engines: Vec<PolicyDescriptor>,
    /// What needs approval whatever the rules say.
    pub gates: Gates,
}

/// A bundle of a policy set, and whether anyone vouches for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BundleEntry {
    /// A bundle with its issuer's signature.
    Signed(Box<SignedBundle>),
    /// A bundle that was taken without one.
    Unsigned(Bundle),
}

impl BundleEntry {
    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        match self {
            Self::Signed(signed) => &signed.policy,
            Self::Unsigned(bundle) => bundle,
        }
    }
}

impl PolicySetDefinition {
    /// The bundles that somebody signed.
    pub fn signed(&self) -> impl Iterator<Item = &SignedBundle> {
        self.bundles.iter().filter_map(|entry| match entry {
            BundleEntry::Signed(signed) => Some(&**signed),
            BundleEntry::Unsigned(_) => None,
        })
    }

    fn check_signatures(&self) -> Result<(), BundleError> {
        self.signed().try_for_each(SignedBundle::check_signature)
    }

    /// The set's hash: it covers every rule, signature, descriptor and gate.
    ///
    /// # Errors
    /// When a rule compares with a value that cannot be sealed, or the definition has more than
    /// [`MAX_RECORD_BYTES`] as sealed JSON.
    pub fn hash(&self) -> Result<PolicySetHash, CanonError> {
        let bytes = to_canonical(self)?;
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(CanonError::TooLarge { bytes: bytes.len(), limit: MAX_RECORD_BYTES });
        }
        Ok(PolicySetHash(domain::POLICY_SET.hash(&[&bytes])))
    }
}

/// Why a definition does not make a policy set.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// A bundle's signature does not hold.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A policy written in Rust is not at hand, or the one at hand describes itself otherwise.
    #[error("policy `{}` version `{}` with config `{}` is not at hand", .0.name, .0.version, .0.config)]
    Engine(PolicyDescriptor),
    /// The definition cannot be sealed.
    #[error("policy set: {0}")]
    Seal(#[from] CanonError),
}

impl PolicySet {
    /// Makes the set that a ledger's definition describes, so that its decisions can be derived again.
    ///
    /// Signatures are checked again. Whether their issuers were trusted is for the ledger's trust roots to say.
    ///
    /// # Errors
    /// When a signature does not hold, `engines` lacks a policy, or the definition cannot be sealed.
    pub fn from_definition(
        definition: PolicySetDefinition,
        engines: impl Fn(&PolicyDescriptor) -> Option<Arc<dyn PolicyEngine>>,
    ) -> Result<Self, DefinitionError> {
        definition.check_signatures()?;
        let find = |descriptor: &PolicyDescriptor| {
            let engine = engines(descriptor).filter(|engine| engine.descriptor() == *descriptor);
            engine.ok_or_else(|| DefinitionError::Engine(descriptor.clone()))
        };
        let engines = definition.engines.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Self::assemble(definition, engines)?)
    }

    /// Makes the set that a ledger's definition describes, without its policies written in Rust: for decisions that have their
    /// verdicts on record, see [`evaluate_recorded`](Self::evaluate_recorded). To [`evaluate`](Self::evaluate) they have failed.
    ///
    /// # Errors
    /// When a signature does not hold, or the definition cannot be sealed.
    pub fn without_engines(definition: PolicySetDefinition) -> Result<Self, DefinitionError> {
        definition.check_signatures()?;
        Ok(Self::assemble(definition, Vec::new())?)
    }
}
