//! The deterministic projection of commits, its Merkle root, and `fold`, the only code that changes one.

mod fold;
mod resource;
mod tree;

pub use fold::{FoldError, FoldOp, Unfold};
pub use resource::{Resource, ResourceError, ResourceId};
pub use tree::root_of;

use std::{collections::HashMap, sync::OnceLock};

use crate::canon::WorldRoot;
use tree::Tree;

/// Resources by id, as the commits of a trajectory leave them.
///
/// A world is read freely and changed only by [`World::fold`]:
///
/// ```compile_fail
/// fn write(world: &mut openthymos::World, id: openthymos::world::ResourceId, resource: openthymos::world::Resource) {
///     world.resources.insert(id, resource);
/// }
/// ```
///
/// ```compile_fail
/// fn reach(world: &openthymos::World, id: &openthymos::world::ResourceId) {
///     world.get(id).unwrap().version = 7;
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct World {
    resources: HashMap<ResourceId, Resource>,
    /// There from the first time that the root is asked for, and kept up to date from then on.
    tree: OnceLock<Tree>,
}

impl World {
    /// The world that consists of these resources, as a snapshot tells them; whoever asks compares its root.
    pub(crate) fn of(resources: impl IntoIterator<Item = (ResourceId, Resource)>) -> Self {
        let mut world = Self::default();
        for (id, resource) in resources {
            world.set(id, Some(resource));
        }
        world
    }

    /// The resource of that id.
    pub fn get(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.get(id)
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// All resources, sorted by kind and id.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceId, &Resource)> {
        let mut sorted: Vec<_> = self.resources.iter().collect();
        sorted.sort_unstable_by_key(|(id, _)| (id.kind(), id.id()));
        sorted.into_iter()
    }

    /// The root of the world's Merkle map.
    ///
    /// The first call builds the map from all resources; later calls cost nothing, and each change after it updates one
    /// path of the map.
    pub fn root(&self) -> WorldRoot {
        let leaf = |(id, resource): (&ResourceId, &Resource)| (id.key(), resource.version, resource.commitment);
        self.tree.get_or_init(|| Tree::of(self.resources.iter().map(leaf))).root()
    }
}
