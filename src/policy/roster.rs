use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::MAX_NAME_BYTES;
use crate::{
    canon::{
        CanonError, LimitError, MAX_RECORD_BYTES, ParseError, RosterHash, canonical_value, domain, misshapen, parse,
        shown, to_canonical,
    },
    crypto::{NamedKey, PublicKey, Purpose, Signature, SignatureError},
    host::{SignError, Signer},
};

/// The most channels of a roster.
pub const MAX_CHANNELS: usize = 256;
/// The most approvers of a channel.
pub const MAX_APPROVERS: usize = 256;

/// Why a roster does not load, or could not be signed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RosterError {
    /// The bytes are not sealable JSON, or more than 1 MiB.
    #[error("roster: {0}")]
    Json(#[from] ParseError),
    /// The JSON is not a roster.
    #[error("roster: {0}")]
    Shape(String),
    /// The JSON has members that say nothing: not the members that are signed.
    #[error("roster: it is not in the form in which rosters are signed: leave out what is null")]
    Form,
    /// There is more of something than there may be.
    #[error("roster: {0}")]
    Limit(#[from] LimitError),
    /// A channel asks for no approval, or for more than there are approvers with keys of their own.
    #[error(
        "roster, channel `{channel}`: {required} approvals are needed of {approvers} approvers with different keys"
    )]
    Quorum {
        /// The channel, cut after 160 characters.
        channel: String,
        /// How many approvals it needs.
        required: u32,
        /// How many keys there are.
        approvers: usize,
    },
    /// It cannot be sealed.
    #[error("roster: {0}")]
    Seal(#[from] CanonError),
    /// The issuer is not one whose policies are trusted here.
    #[error("roster: issuer {issuer} is not trusted to issue policies, and so no rosters")]
    Untrusted {
        /// Who issued it.
        issuer: Box<PublicKey>,
    },
    /// The issuer did not sign this roster.
    #[error("roster: {0}")]
    Signature(#[from] SignatureError),
    /// The key could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Who may approve on which channel, and how many must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// By channel.
    pub channels: BTreeMap<String, Quorum>,
    /// The roster's version, for people.
    pub version: String,
}

/// The approvers of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quorum {
    /// Who may vote.
    pub approvers: Vec<NamedKey>,
    /// How many distinct approvals are needed.
    pub required: u32,
}

impl Quorum {
    /// Whether at least one approval is needed, and no more than there are distinct approvers.
    pub fn can_be_met(&self) -> bool {
        self.required > 0 && u64::from(self.required) <= self.distinct() as u64
    }

    /// How many different keys its approvers have.
    fn distinct(&self) -> usize {
        let mut keys: Vec<_> = self.approvers.iter().map(|named| named.key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.len()
    }
}

impl Roster {
    /// Reads the JSON form, `{"channels":{"finance":{"approvers":[{"key":…,"name":…}],"required":1}},"version":…}`.
    ///
    /// # Errors
    /// When the bytes are not sealable JSON, duplicate keys included, not a roster, unknown members and those that say nothing
    /// included, larger than a roster may be, or a channel's quorum cannot be met.
    pub fn from_json(bytes: &[u8]) -> Result<Self, RosterError> {
        let roster: Self = read(bytes)?;
        roster.check()?;
        Ok(roster)
    }

    /// Checks its limits, and that every quorum can be met.
    fn check(&self) -> Result<(), RosterError> {
        LimitError::check("channels", self.channels.len(), MAX_CHANNELS)?;
        LimitError::check("bytes in a version", self.version.len(), MAX_NAME_BYTES)?;
        for (channel, quorum) in &self.channels {
            LimitError::check("bytes in a channel", channel.len(), MAX_NAME_BYTES)?;
            LimitError::check("approvers of a channel", quorum.approvers.len(), MAX_APPROVERS)?;
            for approver in &quorum.approvers {
                LimitError::check("bytes in a name", approver.name.len(), MAX_NAME_BYTES)?;
            }
            if !quorum.can_be_met() {
                let (required, approvers) = (quorum.required, quorum.distinct());
                return Err(RosterError::Quorum { channel: shown(channel), required, approvers });
            }
        }
        Ok(())
    }

    /// The roster's hash.
    ///
    /// # Errors
    /// Never for keys and names; the signature is that of every sealing.
    pub fn hash(&self) -> Result<RosterHash, CanonError> {
        Ok(RosterHash(domain::ROSTER.hash_sealed(self)?))
    }
}

/// A roster with its issuer's signature over the roster's hash; not yet verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedRoster {
    /// Who issued it: a policy issuer.
    pub issuer_pubkey: PublicKey,
    /// The roster.
    pub roster: Roster,
    /// The signature, for [`Purpose::Roster`].
    pub signature: Signature,
}

impl SignedRoster {
    /// Reads the JSON form, `{"issuer_pubkey":…,"roster":{…},"signature":…}`.
    ///
    /// # Errors
    /// As [`Roster::from_json`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, RosterError> {
        let signed: Self = read(bytes)?;
        signed.roster.check()?;
        Ok(signed)
    }

    /// Has a roster signed.
    ///
    /// # Errors
    /// When it is larger than a roster may be, a quorum cannot be met, or the key cannot sign.
    pub async fn sign(roster: Roster, signer: &dyn Signer) -> Result<Self, RosterError> {
        roster.check()?;
        let signature = signer.sign(Purpose::Roster, roster.hash()?.as_bytes()).await?;
        let signed = Self { issuer_pubkey: signer.public_key(), roster, signature };
        signed.check_signature()?;
        Ok(signed)
    }

    /// Checks that the issuer is trusted to issue policies and signed this roster.
    ///
    /// # Errors
    /// When it is not, or did not.
    pub fn verify(self, trusted: impl Fn(&PublicKey) -> bool) -> Result<VerifiedRoster, RosterError> {
        if !trusted(&self.issuer_pubkey) {
            return Err(RosterError::Untrusted { issuer: Box::new(self.issuer_pubkey) });
        }
        self.roster.check()?;
        self.check_signature()?;
        Ok(VerifiedRoster(self))
    }

    fn check_signature(&self) -> Result<(), RosterError> {
        let hash = self.roster.hash()?;
        Ok(self.issuer_pubkey.verify(Purpose::Roster, hash.as_bytes(), &self.signature)?)
    }
}

/// A roster whose signature holds under a trusted key. Made only by [`SignedRoster::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRoster(SignedRoster);

impl VerifiedRoster {
    /// The roster.
    pub fn roster(&self) -> &Roster {
        &self.0.roster
    }

    /// Who issued it.
    pub fn issuer(&self) -> PublicKey {
        self.0.issuer_pubkey
    }

    /// The roster as it was signed.
    pub fn signed(&self) -> &SignedRoster {
        &self.0
    }

    /// The roster as it was signed.
    pub fn into_signed(self) -> SignedRoster {
        self.0
    }
}

fn read<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, RosterError> {
    let value = parse(bytes, MAX_RECORD_BYTES)?;
    let read = T::deserialize(&value).map_err(|error| RosterError::Shape(misshapen(&error)))?;
    if to_canonical(&read)? == canonical_value(&value)? { Ok(read) } else { Err(RosterError::Form) }
}
