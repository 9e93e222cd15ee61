use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::{
    Resource, ResourceId, World,
    tree::{self, Tree},
};
use crate::canon::Commitment;

/// One operation of a change, ready to apply.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldOp {
    /// The resource.
    pub resource: ResourceId,
    /// The version that it must have; 0 when it must not exist.
    pub expected: u64,
    /// What it becomes; `None` removes it.
    pub becomes: Option<(Commitment, Option<Arc<Value>>)>,
}

/// A change that does not apply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{resource}: expected version {expected}, found {found} (0 is absent)")]
pub struct FoldError {
    /// The resource.
    pub resource: ResourceId,
    /// The version that the change expected.
    pub expected: u64,
    /// The version that there is.
    pub found: u64,
}

/// What a change replaced: takes it back when its record could not be stored.
#[derive(Debug, Default)]
pub struct Unfold(Vec<(ResourceId, Option<Resource>)>);

impl World {
    /// Applies the change of the commit at `seq`, all of it or nothing. Returns what takes it back.
    ///
    /// # Errors
    /// When a resource does not have the version that the change expects; the world is unchanged then.
    pub fn fold(&mut self, seq: u64, ops: Vec<FoldOp>) -> Result<Unfold, FoldError> {
        let mut undo = Unfold(Vec::with_capacity(ops.len()));
        for FoldOp { resource, expected, becomes } in ops {
            let there = self.resources.get_mut(&resource);
            let found = there.as_ref().map_or(0, |there| there.version);
            if found != expected || (found == 0 && becomes.is_none()) {
                self.unfold(undo);
                return Err(FoldError { resource, expected, found });
            }
            let after = becomes.map(|(commitment, value)| Resource { version: found + 1, commitment, value, seq });
            let before = match (there, after) {
                // Looked up once: most changes replace.
                (Some(there), Some(after)) => {
                    plant(&mut self.tree, &resource, Some(&after));
                    Some(std::mem::replace(there, after))
                }
                (_, after) => self.set(resource.clone(), after),
            };
            undo.0.push((resource, before));
        }
        Ok(undo)
    }

    /// Takes back the last change.
    pub fn unfold(&mut self, undo: Unfold) {
        for (resource, before) in undo.0.into_iter().rev() {
            self.set(resource, before);
        }
    }

    pub(super) fn set(&mut self, resource: ResourceId, after: Option<Resource>) -> Option<Resource> {
        plant(&mut self.tree, &resource, after.as_ref());
        match after {
            Some(after) => self.resources.insert(resource, after),
            None => self.resources.remove(&resource),
        }
    }
}

/// Sets a resource's leaf, where there is a tree to keep up to date.
fn plant(tree: &mut OnceLock<Tree>, resource: &ResourceId, after: Option<&Resource>) {
    if let Some(tree) = tree.get_mut() {
        let key = resource.key();
        tree.set(&key, after.map(|after| tree::leaf(&key, after.version, &after.commitment)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canon::WorldRoot;
    use proptest::prelude::*;

    fn op(id: &str, expected: u64, becomes: Option<u8>) -> FoldOp {
        let becomes = becomes.map(|byte| (Commitment([byte; 32]), None));
        FoldOp { resource: ResourceId::new("kv", id).unwrap(), expected, becomes }
    }

    #[test]
    fn a_change_applies_whole_or_not_at_all() {
        let mut world = World::default();
        world.fold(1, vec![op("a", 0, Some(1))]).unwrap();
        let before = world.root();
        let error = world.fold(2, vec![op("a", 1, Some(2)), op("b", 0, Some(3)), op("a", 1, None)]).unwrap_err();
        assert_eq!((error.expected, error.found), (1, 2));
        assert_eq!((world.root(), world.len()), (before, 1));
        assert!(world.fold(2, vec![op("c", 0, None)]).is_err());
        world.fold(2, vec![op("a", 1, None)]).unwrap();
        assert_eq!(world.root(), WorldRoot::ZERO);
    }
    proptest! {
        #[test]
        fn the_root_is_the_same_whenever_it_is_asked_for_first(
            ops in prop::collection::vec((0u8..6, 0u64..4, prop::option::of(any::<u8>())), 0..40),
            first in 0usize..40,
        ) {
            let (mut early, mut late) = (World::default(), World::default());
            early.root();
            for (at, (name, expected, becomes)) in ops.into_iter().enumerate() {
                let ops = vec![op("z", 0, Some(1)), op(&name.to_string(), expected, becomes), op("z", 1, None)];
                let folds = (early.fold(at as u64, ops.clone()), late.fold(at as u64, ops));
                prop_assert_eq!(folds.0.is_ok(), folds.1.is_ok());
                if let (Ok(one), Ok(other), true) = (folds.0, folds.1, at % 5 == 0) {
                    early.unfold(one);
                    late.unfold(other);
                }
                if at >= first {
                    prop_assert_eq!(early.root(), late.root());
                }
            }
            prop_assert_eq!(early.root(), late.root());
        }
    }
}
