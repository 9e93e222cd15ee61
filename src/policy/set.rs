use std::{collections::HashSet, sync::Arc};

use super::{
    Bundle, BundleEntry, Coordination, Gates, PolicyEngine, PolicySetDefinition, Rule, UnsignedBundle, VerifiedBundle,
    field::{Field, Source},
};
use crate::{
    canon::{CanonError, PolicySetHash},
    predicate::Predicate,
    world::ResourceId,
};

/// Every policy in force: bundles of rules, policies written in Rust, and gates. Cheap to clone.
#[derive(Clone)]
pub struct PolicySet(pub(super) Arc<Inner>);

pub(super) struct Inner {
    definition: PolicySetDefinition,
    hash: PolicySetHash,
    pub(super) engines: Vec<Arc<dyn PolicyEngine>>,
    /// The rules of all bundles, in order.
    pub(super) rules: Vec<Compiled>,
    /// The names of the arguments that rules read.
    pub(super) arguments: Vec<String>,
    /// The resources whose values rules read.
    resources: HashSet<ResourceId>,
}

/// Where a rule stands in the definition, and its condition over resolved fields.
pub(super) struct Compiled {
    pub(super) bundle: usize,
    pub(super) rule: usize,
    pub(super) condition: Predicate<Field>,
    /// Whether it reads what not every call has.
    pub(super) is_selective: bool,
}

impl PolicySet {
    /// Starts a set.
    pub fn builder() -> PolicySetBuilder {
        PolicySetBuilder::default()
    }

    /// The hash that names the set in the ledger.
    pub fn hash(&self) -> PolicySetHash {
        self.0.hash
    }

    /// All that the set is made of.
    pub fn definition(&self) -> &PolicySetDefinition {
        &self.0.definition
    }

    /// What needs approval whatever the rules say.
    pub fn gates(&self) -> &Gates {
        &self.0.definition.gates
    }

    /// How many runs may come of one.
    pub fn coordination(&self) -> Coordination {
        self.0.definition.coordination.unwrap_or_default()
    }

    /// The rule that a trace names by index, and its bundle.
    pub fn rule(&self, index: u32) -> Option<(&Bundle, &Rule)> {
        self.0.find(self.0.rules.get(usize::try_from(index).ok()?)?)
    }

    /// The resources whose values rules read.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceId> {
        self.0.resources.iter()
    }

    pub(super) fn assemble(
        definition: PolicySetDefinition,
        engines: Vec<Arc<dyn PolicyEngine>>,
    ) -> Result<Self, CanonError> {
        let hash = definition.hash()?;
        let mut arguments: Vec<String> = Vec::new();
        let mut resources = HashSet::new();
        let mut rules = Vec::new();
        for (bundle, entry) in definition.bundles.iter().enumerate() {
            for (rule, written) in entry.bundle().rules.iter().enumerate() {
                let mut is_selective = false;
                let condition = written.when.map(&mut |path| {
                    let source = Source::resolve(path);
                    let argument = source.argument().map(|name| {
                        arguments.iter().position(|known| known == name).unwrap_or_else(|| {
                            arguments.push(name.to_owned());
                            arguments.len() - 1
                        })
                    });
                    is_selective |= argument.is_some() || matches!(source, Source::Child(_));
                    if let Source::Value(resource, _) = &source {
                        resources.insert(resource.clone());
                    }
                    Field { path: path.clone(), source, argument }
                });
                rules.push(Compiled { bundle, rule, condition, is_selective });
            }
        }
        Ok(Self(Arc::new(Inner { definition, hash, engines, rules, arguments, resources })))
    }
}

impl Inner {
    pub(super) fn find(&self, compiled: &Compiled) -> Option<(&Bundle, &Rule)> {
        let bundle = self.definition.bundles.get(compiled.bundle)?.bundle();
        Some((bundle, bundle.rules.get(compiled.rule)?))
    }
}

impl Default for PolicySet {
    /// No rules, no policies, and the default gates.
    #[expect(clippy::expect_used, reason = "an empty definition holds nothing that cannot be sealed")]
    fn default() -> Self {
        Self::assemble(PolicySetDefinition::default(), Vec::new()).expect("an empty definition can be sealed")
    }
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicySet").field("hash", &self.hash()).field("definition", self.definition()).finish()
    }
}

/// Composes a [`PolicySet`].
#[derive(Default)]
pub struct PolicySetBuilder {
    definition: PolicySetDefinition,
    engines: Vec<Arc<dyn PolicyEngine>>,
}

impl PolicySetBuilder {
    /// Adds a bundle.
    #[must_use]
    pub fn bundle(mut self, bundle: VerifiedBundle) -> Self {
        self.definition.bundles.push(BundleEntry::Signed(Box::new(bundle.into_signed())));
        self
    }

    /// Adds a bundle that nobody vouches for.
    #[must_use]
    pub fn unsigned_bundle(mut self, bundle: UnsignedBundle) -> Self {
        self.definition.bundles.push(BundleEntry::Unsigned(bundle.into_bundle()));
        self
    }

    /// Adds a policy written in Rust.
    #[must_use]
    pub fn engine(mut self, engine: Arc<dyn PolicyEngine>) -> Self {
        self.definition.engines.push(engine.descriptor());
        self.engines.push(engine);
        self
    }

    /// Sets the gates, in place of the default ones.
    #[must_use]
    pub fn gates(mut self, gates: Gates) -> Self {
        self.definition.gates = gates;
        self
    }

    /// Sets how many runs may come of one, in place of the default.
    #[must_use]
    pub fn coordination(mut self, coordination: Coordination) -> Self {
        self.definition.coordination = Some(coordination);
        self
    }

    /// Hashes the set and prepares its rules.
    ///
    /// # Errors
    /// When a rule compares with a value that cannot be sealed, or the set is larger than a record may be.
    pub fn build(self) -> Result<PolicySet, CanonError> {
        PolicySet::assemble(self.definition, self.engines)
    }
}
