use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

use crate::canon::{Commitment, domain};

/// The most bytes that a resource's id may have.
const MAX_ID: usize = 1024;

/// Text that cannot name a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("resource `{kind}` `{id}`: a kind is 1 to 64 of a-z 0-9 _, an id 1 to {MAX_ID} bytes")]
pub struct ResourceError {
    /// The kind.
    pub kind: String,
    /// The id, cut after 160 characters.
    pub id: String,
}

/// Names a resource of a world: its kind and its id within the kind.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ResourceId {
    /// The kind, a zero byte, the id: one text, so that looking a resource up touches little memory.
    text: Arc<str>,
    /// How long the kind is.
    kind: u8,
}

impl ResourceId {
    /// Names a resource.
    ///
    /// # Errors
    /// When the kind is not 1 to 64 characters of `[a-z0-9_]`, or the id not 1 to 1024 bytes.
    pub fn new(kind: &str, id: &str) -> Result<Self, ResourceError> {
        let kind_fits = (1..=64).contains(&kind.len())
            && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !kind_fits || !(1..=MAX_ID).contains(&id.len()) {
            let cut = |text: &str| text.chars().take(160).collect();
            return Err(ResourceError { kind: cut(kind), id: cut(id) });
        }
        let text = [kind, "\0", id].concat();
        Ok(Self { text: text.into(), kind: kind.len() as u8 })
    }

    /// The kind.
    pub fn kind(&self) -> &str {
        self.text.get(..usize::from(self.kind)).unwrap_or_default()
    }

    /// The id within the kind.
    pub fn id(&self) -> &str {
        self.text.get(usize::from(self.kind) + 1..).unwrap_or_default()
    }

    /// Its key in the world's Merkle map: the hash of kind ‖ 0x00 ‖ id. No kind holds a zero byte.
    pub(super) fn key(&self) -> [u8; 32] {
        domain::WORLD_KEY.hash(&[self.text.as_bytes()])
    }
}

/// A resource's name as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename = "ResourceId", deny_unknown_fields)]
struct Parts<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Parts { id: self.id().into(), kind: self.kind().into() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Parts::deserialize(deserializer)?;
        Self::new(&parts.kind, &parts.id).map_err(D::Error::custom)
    }
}

impl std::fmt::Display for ResourceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind(), self.id())
    }
}

impl std::fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ResourceId").field(&self.to_string()).finish()
    }
}

/// A resource's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// How often it was written since it was created; 1 at first.
    pub version: u64,
    /// Commits to the value.
    pub commitment: Commitment,
    /// The value; absent when it was erased.
    pub value: Option<Arc<Value>>,
    /// The seq of the commit that gave it this value: the value stands beside that entry.
    pub seq: u64,
}
