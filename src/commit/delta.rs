use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{canon::Commitment, world::ResourceId};

/// A structured change as a tool returns it: operations in order, all or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delta(pub Vec<Change>);

/// One operation of a [`Delta`].
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Adds a resource that must not exist.
    Create {
        /// The resource.
        resource: ResourceId,
        /// Its value.
        value: Value,
    },
    /// Replaces the value of a resource.
    Replace {
        /// The resource.
        resource: ResourceId,
        /// The version that it must have.
        version: u64,
        /// Its new value.
        value: Value,
    },
    /// Removes a resource.
    Delete {
        /// The resource.
        resource: ResourceId,
        /// The version that it must have.
        version: u64,
    },
}

impl Delta {
    /// No change.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds an operation that creates a resource.
    #[must_use]
    pub fn create(mut self, resource: ResourceId, value: Value) -> Self {
        self.0.push(Change::Create { resource, value });
        self
    }

    /// Adds an operation that replaces the value of a resource at `version`.
    #[must_use]
    pub fn replace(mut self, resource: ResourceId, version: u64, value: Value) -> Self {
        self.0.push(Change::Replace { resource, version, value });
        self
    }

    /// Adds an operation that removes a resource at `version`.
    #[must_use]
    pub fn delete(mut self, resource: ResourceId, version: u64) -> Self {
        self.0.push(Change::Delete { resource, version });
        self
    }
}

/// One operation of a change as records hold it: values by commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DeltaOp {
    /// Adds a resource, at version 1.
    Create {
        /// The resource.
        resource: ResourceId,
        /// Commits to its value.
        value: Commitment,
    },
    /// Replaces a value; the version grows by one.
    Replace {
        /// The resource.
        resource: ResourceId,
        /// Commits to its value.
        value: Commitment,
        /// The version that it had.
        version: u64,
    },
    /// Removes a resource.
    Delete {
        /// The resource.
        resource: ResourceId,
        /// The version that it had.
        version: u64,
    },
}

impl DeltaOp {
    /// The resource that it changes.
    pub fn resource(&self) -> &ResourceId {
        match self {
            Self::Create { resource, .. } | Self::Replace { resource, .. } | Self::Delete { resource, .. } => resource,
        }
    }
}
