use std::sync::Arc;

use serde_json::Value;

use super::{Resource, ResourceId, World, tree};
use crate::canon::{Commitment, WorldRoot};

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
    /// Applies the change of the commit at `seq`, all of it or nothing. Returns the new root, and what takes it back.
    ///
    /// # Errors
    /// When a resource does not have the version that the change expects; the world is unchanged then.
    pub fn fold(&mut self, seq: u64, ops: Vec<FoldOp>) -> Result<(WorldRoot, Unfold), FoldError> {
        let mut undo = Unfold(Vec::with_capacity(ops.len()));
        for op in ops {
            let found = self.resources.get(&op.resource).map_or(0, |resource| resource.version);
            if found != op.expected || (found == 0 && op.becomes.is_none()) {
                let error = FoldError { resource: op.resource, expected: op.expected, found };
                self.unfold(undo);
                return Err(error);
            }
            let after = op.becomes.map(|(commitment, value)| Resource { version: found + 1, commitment, value, seq });
            let before = self.set(op.resource.clone(), after);
            undo.0.push((op.resource, before));
        }
        Ok((self.root(), undo))
    }

    /// Takes back the last change.
    pub fn unfold(&mut self, undo: Unfold) {
        for (resource, before) in undo.0.into_iter().rev() {
            self.set(resource, before);
        }
    }

    pub(super) fn set(&mut self, resource: ResourceId, after: Option<Resource>) -> Option<Resource> {
        let key = resource.key();
        self.tree.set(&key, after.as_ref().map(|after| tree::leaf(&key, after.version, &after.commitment)));
        match after {
            Some(after) => self.resources.insert(resource, after),
            None => self.resources.remove(&resource),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
