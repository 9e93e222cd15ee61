use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Unexpected, Visitor, value::SeqAccessDeserializer},
};

use super::{Amounts, MAX_SCOPES, MAX_STORES, Scope};
use crate::{
    canon::{CanonError, MAX_INTEGER, Nonce, StoreId, WritId, at_most, domain},
    contract::Effect,
    crypto::{NamedKey, Purpose, Signature, SignatureError},
};

/// The writ format that this crate writes and reads.
pub const WRIT_FORMAT: u32 = 1;

/// What a writ grants, to whom, from whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WritBody {
    /// The stores in which the writ may be used.
    pub audience: Audience,
    /// The limit of what may be spent under it, and under all writs below it together.
    pub budget: Amounts,
    /// Whether and how deep it may be delegated.
    pub delegation: Delegation,
    /// The greatest effect that a tool may have.
    pub effect_ceiling: Effect,
    /// [`WRIT_FORMAT`].
    pub format: u32,
    /// Who grants.
    pub issuer: NamedKey,
    /// Makes the writ individually identifiable and revocable.
    pub nonce: Nonce,
    /// The writ that this one narrows; none for a root writ.
    pub parent: Option<WritId>,
    /// What may be called. An action needs one scope that covers it.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SCOPES>")]
    pub scopes: Vec<Scope>,
    /// Who may act; a start is signed with this key.
    pub subject: NamedKey,
    /// Whose resources these are.
    pub tenant: String,
    /// When it holds.
    pub window: Window,
}

impl WritBody {
    /// The writ's id: the hash of its body.
    ///
    /// # Errors
    /// When a condition holds a value that cannot be sealed.
    pub fn id(&self) -> Result<WritId, CanonError> {
        Ok(WritId(domain::WRIT.hash_sealed(self)?))
    }
}

/// The stores in which a writ may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Any store; the budget is then per store. `"any"` in JSON.
    Any,
    /// These stores; a list of store ids in JSON.
    Stores(Vec<StoreId>),
}

impl Audience {
    /// Whether the writ may be used in `store`.
    pub fn includes(&self, store: StoreId) -> bool {
        match self {
            Self::Any => true,
            Self::Stores(stores) => stores.contains(&store),
        }
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => serializer.serialize_str("any"),
            Self::Stores(stores) => stores.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Audience;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"any\" or a list of store ids")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Audience, E> {
                if word == "any" { Ok(Audience::Any) } else { Err(E::invalid_value(Unexpected::Str(word), &self)) }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Audience, A::Error> {
                at_most::<_, _, MAX_STORES>(SeqAccessDeserializer::new(list)).map(Audience::Stores)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// A span of time, both ends included: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The last millisecond at which the writ holds.
    pub expires_at_ms: u64,
    /// The first.
    pub not_before_ms: u64,
}

impl Window {
    /// A window without ends.
    pub const ALWAYS: Self = Self { not_before_ms: 0, expires_at_ms: MAX_INTEGER };
}

/// Whether a writ may be delegated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// How many generations may follow.
    pub depth: u32,
    /// Whether the subject may issue writs below it.
    pub may_subdivide: bool,
}

/// A writ body and its issuer's signature; not yet verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedWrit {
    /// The issuer's signature over the writ's id.
    pub signature: Signature,
    /// What was signed.
    pub writ: WritBody,
}

impl SignedWrit {
    /// Checks the issuer's signature.
    ///
    /// # Errors
    /// When the issuer's key did not sign `id`.
    pub fn verify_signature(&self, id: &WritId) -> Result<(), SignatureError> {
        self.writ.issuer.key.verify(Purpose::Writ, id.as_bytes(), &self.signature)
    }
}
