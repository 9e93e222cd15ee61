//! A Merkle map from 32-byte keys to 32-byte leaves, updated along one path.
//!
//! The root of no keys is zero. The root of one key is its leaf. The root of more is the hash of both halves, split by
//! the next bit of the key, most significant first. So the root depends on what is in the map and on nothing else.

use crate::canon::{Commitment, WorldRoot, domain};

#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    root: Node,
}

#[derive(Debug, Clone, Default)]
enum Node {
    #[default]
    Empty,
    Leaf {
        key: [u8; 32],
        hash: [u8; 32],
    },
    Inner {
        hash: [u8; 32],
        halves: Box<(Node, Node)>,
    },
}

pub(super) fn leaf(key: &[u8; 32], version: u64, value: &Commitment) -> [u8; 32] {
    domain::WORLD_LEAF.hash(&[key, &version.to_be_bytes(), value.as_bytes()])
}

impl Tree {
    /// The whole map at once, from its leaves in any order: key, version and value of each.
    pub(super) fn of(leaves: impl IntoIterator<Item = ([u8; 32], u64, Commitment)>) -> Self {
        let leaves = leaves.into_iter().map(|(key, version, value)| (key, leaf(&key, version, &value)));
        let mut leaves: Vec<_> = leaves.collect();
        leaves.sort_unstable_by_key(|(key, _)| *key);
        Self { root: Node::of(&leaves, 0) }
    }

    pub(super) fn root(&self) -> WorldRoot {
        WorldRoot(self.root.hash())
    }

    /// Sets the leaf of `key`, or removes it.
    pub(super) fn set(&mut self, key: &[u8; 32], leaf: Option<[u8; 32]>) {
        self.root.set(key, leaf, 0);
    }
}

fn bit(key: &[u8; 32], depth: usize) -> bool {
    key.get(depth / 8).is_some_and(|byte| byte >> (7 - depth % 8) & 1 == 1)
}

impl Node {
    /// The part of the map with these leaves, which are sorted by key and agree in the bits before `depth`.
    fn of(leaves: &[([u8; 32], [u8; 32])], depth: usize) -> Self {
        match leaves {
            [] => Self::Empty,
            [(key, hash)] => Self::Leaf { key: *key, hash: *hash },
            _ => {
                let (left, right) = leaves.split_at(leaves.partition_point(|(key, _)| !bit(key, depth)));
                let halves = Box::new((Self::of(left, depth + 1), Self::of(right, depth + 1)));
                let hash = domain::WORLD_NODE.hash(&[&halves.0.hash(), &halves.1.hash()]);
                Self::Inner { hash, halves }
            }
        }
    }

    fn hash(&self) -> [u8; 32] {
        match self {
            Self::Empty => [0; 32],
            Self::Leaf { hash, .. } | Self::Inner { hash, .. } => *hash,
        }
    }

    fn set(&mut self, key: &[u8; 32], leaf: Option<[u8; 32]>, depth: usize) {
        match self {
            Self::Empty => {
                if let Some(hash) = leaf {
                    *self = Self::Leaf { key: *key, hash };
                }
            }
            Self::Leaf { key: found, hash } if found == key => match leaf {
                Some(leaf) => *hash = leaf,
                None => *self = Self::Empty,
            },
            Self::Leaf { key: found, .. } => {
                if leaf.is_some() {
                    let found = *found;
                    let below = std::mem::take(self);
                    let halves = if bit(&found, depth) { (Self::Empty, below) } else { (below, Self::Empty) };
                    *self = Self::Inner { hash: [0; 32], halves: Box::new(halves) };
                    self.set(key, leaf, depth);
                }
            }
            Self::Inner { hash, halves } => {
                let (left, right) = &mut **halves;
                if bit(key, depth) {
                    right.set(key, leaf, depth + 1)
                } else {
                    left.set(key, leaf, depth + 1)
                }
                match (&mut *left, &mut *right) {
                    (Self::Empty, only @ (Self::Leaf { .. } | Self::Empty))
                    | (only @ Self::Leaf { .. }, Self::Empty) => *self = std::mem::take(only),
                    (left, right) => *hash = domain::WORLD_NODE.hash(&[&left.hash(), &right.hash()]),
                }
            }
        }
    }
}

/// The root of a whole map at once, from its leaves in any order: the key, version and value of each.
pub fn root_of(leaves: impl IntoIterator<Item = ([u8; 32], u64, Commitment)>) -> WorldRoot {
    Tree::of(leaves).root()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn updates_by_path_and_the_whole_build_agree(steps in prop::collection::vec((0u8..40, prop::option::of(1u64..9)), 0..200)) {
            let mut tree = Tree::default();
            let mut model = BTreeMap::new();
            for (name, version) in steps {
                // Keys that share long prefixes make deep paths.
                let mut key = [0u8; 32];
                key[usize::from(name % 4) * 8] = name;
                let value = Commitment([name; 32]);
                tree.set(&key, version.map(|version| leaf(&key, version, &value)));
                match version {
                    Some(version) => drop(model.insert(key, (version, value))),
                    None => drop(model.remove(&key)),
                }
                let whole = root_of(model.iter().map(|(key, (version, value))| (*key, *version, *value)));
                prop_assert_eq!(tree.root(), whole);
            }
            // A map that was built at once goes on like one that grew.
            let mut built = Tree::of(model.iter().map(|(key, (version, value))| (*key, *version, *value)));
            for key in model.keys().rev() {
                built.set(key, None);
                tree.set(key, None);
                prop_assert_eq!(built.root(), tree.root());
            }
        }
    }
}
