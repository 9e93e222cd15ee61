use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Excess, MAX_CHAIN_LINKS, SignedWrit, WRIT_FORMAT, WritBody, limits::check_lists};
use crate::{
    canon::{
        CanonError, LimitError, MAX_RECORD_BYTES, ParseError, WritId, at_most, canonical_value, misshapen, parse,
        to_canonical,
    },
    crypto::{PublicKey, SignatureError},
};

/// Why a chain of writs is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The bytes are not sealable JSON.
    #[error("writ chain: {0}")]
    Json(#[from] ParseError),
    /// The JSON is not a chain of writs of this format.
    #[error("writ chain: {0}")]
    Shape(String),
    /// There is no writ, or more than [`MAX_CHAIN_LINKS`].
    #[error("a chain has 1 to {MAX_CHAIN_LINKS} writs, found {found}")]
    Length {
        /// How many there are.
        found: usize,
    },
    /// The JSON has members that say nothing, such as a budget of 0: not the members that were signed.
    #[error("writ chain: it is not in the form in which writs are signed: leave out what is null or a budget of 0")]
    Form,
    /// A writ is larger than one may be.
    #[error("writ {index}: {source}")]
    Limit {
        /// Which writ, the root being 0.
        index: usize,
        /// What there is too much of.
        source: LimitError,
    },
    /// A writ of another format.
    #[error("writ {index}: format {found}, and this build reads format {WRIT_FORMAT}")]
    Format {
        /// Which writ, the root being 0.
        index: usize,
        /// Its format.
        found: u32,
    },
    /// A value in a writ cannot be sealed.
    #[error("writ {index}: {source}")]
    Seal {
        /// Which writ.
        index: usize,
        /// Why.
        source: CanonError,
    },
    /// A signature does not verify.
    #[error("writ {index}: {source}")]
    Signature {
        /// Which writ.
        index: usize,
        /// The failure.
        source: SignatureError,
    },
    /// The first writ names a parent, or another does not name the one before it.
    #[error("writ {index}: its parent is not the writ before it")]
    Parent {
        /// Which writ.
        index: usize,
    },
    /// The issuer is not the subject of the writ before it.
    #[error("writ {index}: issued by key {issuer}, and the parent's subject is {subject}")]
    Issuer {
        /// Which writ.
        index: usize,
        /// Who issued it.
        issuer: PublicKey,
        /// Who could have.
        subject: PublicKey,
    },
    /// A writ is wider than its parent.
    #[error("writ {index}: {source}")]
    Wider {
        /// Which writ.
        index: usize,
        /// Where.
        source: Excess,
    },
}

impl ChainError {
    /// Which writ is at fault, the root being 0.
    pub fn index(&self) -> usize {
        match self {
            Self::Json(_) | Self::Shape(_) | Self::Length { .. } | Self::Form => 0,
            Self::Limit { index, .. }
            | Self::Format { index, .. }
            | Self::Seal { index, .. }
            | Self::Signature { index, .. }
            | Self::Parent { index }
            | Self::Issuer { index, .. }
            | Self::Wider { index, .. } => *index,
        }
    }
}

/// A chain of signed writs as it came from outside, root first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnverifiedChain {
    /// The writs, from the root to the one in use.
    #[serde(deserialize_with = "at_most::<_, _, MAX_CHAIN_LINKS>")]
    pub chain: Vec<SignedWrit>,
}

impl UnverifiedChain {
    /// Reads the JSON form, `{"chain":[{"signature":…,"writ":…},…]}`.
    ///
    /// # Errors
    /// When the bytes are not sealable JSON or not of that form, larger than a chain may be, or have other members than
    /// were signed: unknown ones, and those that say nothing. Their order and the space between them are free.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ChainError> {
        let value = parse(bytes, MAX_RECORD_BYTES)?;
        if let Some(links) = value.get("chain").and_then(Value::as_array) {
            check_length(links.len())?;
            for (index, link) in links.iter().enumerate() {
                let fits = link.get("writ").map_or(Ok(()), check_lists);
                fits.map_err(|source| ChainError::Limit { index, source })?;
            }
        }
        let chain = Self::deserialize(&value).map_err(|error| ChainError::Shape(misshapen(&error)))?;
        match (to_canonical(&chain), canonical_value(&value)) {
            (Ok(signed), Ok(given)) if signed == given => Ok(chain),
            _ => Err(ChainError::Form),
        }
    }

    /// Checks every signature and link. Whether the root's issuer is trusted is another question.
    ///
    /// # Errors
    /// The first fault, from the root on.
    pub fn verify(self) -> Result<WritChain, ChainError> {
        check_length(self.chain.len())?;
        for (index, signed) in self.chain.iter().enumerate() {
            signed.writ.check_limits().map_err(|source| ChainError::Limit { index, source })?;
        }
        let mut ids: Vec<WritId> = Vec::with_capacity(self.chain.len());
        let mut above: Option<&WritBody> = None;
        for (index, signed) in self.chain.iter().enumerate() {
            let writ = &signed.writ;
            if writ.format != WRIT_FORMAT {
                return Err(ChainError::Format { index, found: writ.format });
            }
            if writ.parent != ids.last().copied() {
                return Err(ChainError::Parent { index });
            }
            if let Some(parent) = above {
                if writ.issuer.key != parent.subject.key {
                    let (issuer, subject) = (writ.issuer.key, parent.subject.key);
                    return Err(ChainError::Issuer { index, issuer, subject });
                }
                writ.is_within(parent).map_err(|source| ChainError::Wider { index, source })?;
            }
            let id = writ.id().map_err(|source| ChainError::Seal { index, source })?;
            signed.verify_signature(&id).map_err(|source| ChainError::Signature { index, source })?;
            ids.push(id);
            above = Some(writ);
        }
        Ok(WritChain(Arc::new(Links { signed: self.chain, ids })))
    }
}

fn check_length(found: usize) -> Result<(), ChainError> {
    if (1..=MAX_CHAIN_LINKS).contains(&found) { Ok(()) } else { Err(ChainError::Length { found }) }
}

/// A chain of writs whose signatures and links hold. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct WritChain(Arc<Links>);

// INVARIANT: made only by `UnverifiedChain::verify`, so there is at least one link and an id for each.
#[derive(Debug, PartialEq)]
struct Links {
    signed: Vec<SignedWrit>,
    ids: Vec<WritId>,
}

impl WritChain {
    /// The writ in use: the last of the chain.
    #[expect(clippy::expect_used, reason = "a verified chain has at least one link")]
    pub fn leaf(&self) -> &WritBody {
        &self.0.signed.last().expect("a verified chain is not empty").writ
    }

    /// The id of the writ in use.
    #[expect(clippy::expect_used, reason = "a verified chain has at least one link")]
    pub fn id(&self) -> WritId {
        *self.0.ids.last().expect("a verified chain is not empty")
    }

    /// The root writ.
    #[expect(clippy::expect_used, reason = "a verified chain has at least one link")]
    pub fn root(&self) -> &WritBody {
        &self.0.signed.first().expect("a verified chain is not empty").writ
    }

    /// Every writ with its id, root first.
    pub fn links(&self) -> impl DoubleEndedIterator<Item = (WritId, &WritBody)> + ExactSizeIterator {
        self.0.ids.iter().copied().zip(self.0.signed.iter().map(|signed| &signed.writ))
    }

    /// The chain as it is stored and sent.
    pub fn to_unverified(&self) -> UnverifiedChain {
        UnverifiedChain { chain: self.0.signed.clone() }
    }

    /// Every writ as it was signed, root first.
    pub fn signed(&self) -> &[SignedWrit] {
        &self.0.signed
    }

    /// The same chain with one more link below.
    ///
    /// # Errors
    /// When the new writ does not follow from the last one.
    pub fn extend(&self, child: SignedWrit) -> Result<Self, ChainError> {
        let mut chain = self.0.signed.clone();
        chain.push(child);
        UnverifiedChain { chain }.verify()
    }
}

impl From<WritChain> for UnverifiedChain {
    fn from(chain: WritChain) -> Self {
        match Arc::try_unwrap(chain.0) {
            Ok(links) => Self { chain: links.signed },
            Err(shared) => Self { chain: shared.signed.clone() },
        }
    }
}

impl From<&WritChain> for UnverifiedChain {
    fn from(chain: &WritChain) -> Self {
        chain.to_unverified()
    }
}
