use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Bundle, Rule};
use crate::{
    canon::{CanonError, MAX_RECORD_BYTES, ParseError, parse},
    crypto::{PublicKey, Purpose, Signature, SignatureError},
    host::{SignError, Signer},
};

/// Why a bundle does not load, or could not be signed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The bytes are not sealable JSON, or more than 1 MiB.
    #[error("policy bundle: {0}")]
    Json(#[from] ParseError),
    /// The JSON is not a bundle.
    #[error("policy bundle: {0}")]
    Shape(String),
    /// One of its rules is not a rule.
    #[error("policy bundle, rule `{rule}`: {reason}")]
    Rule {
        /// The rule's name, or `#` and its index from 0 where it has none.
        rule: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A rule compares with a value that cannot be sealed.
    #[error("policy bundle: {0}")]
    Seal(#[from] CanonError),
    /// The issuer is not one whose policies are trusted here.
    #[error("policy bundle `{bundle}`: issuer {issuer} is not trusted to issue policies")]
    Untrusted {
        /// The bundle.
        bundle: String,
        /// Who issued it.
        issuer: Box<PublicKey>,
    },
    /// The issuer did not sign this bundle.
    #[error("policy bundle `{bundle}`: {source}")]
    Signature {
        /// The bundle.
        bundle: String,
        /// The failure.
        source: Box<SignatureError>,
    },
    /// The key could not sign.
    #[error(transparent)]
    Sign(Box<SignError>),
}

impl Bundle {
    /// Reads the JSON form, `{"name":…,"version":…,"rules":[{"name":…,"when":…,"decision":…},…]}`.
    ///
    /// # Errors
    /// When the bytes are not sealable JSON, duplicate keys included, or not a bundle, unknown members included.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BundleError> {
        read(parse(bytes, MAX_RECORD_BYTES)?, "")
    }
}

/// A bundle with its issuer's signature over the bundle's hash; not yet verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedBundle {
    /// Who issued it.
    pub issuer_pubkey: PublicKey,
    /// The bundle.
    pub policy: Bundle,
    /// The signature, for [`Purpose::Policy`].
    pub signature: Signature,
}

impl SignedBundle {
    /// Reads the JSON form, `{"issuer_pubkey":…,"policy":{…},"signature":…}`.
    ///
    /// # Errors
    /// As [`Bundle::from_json`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, BundleError> {
        read(parse(bytes, MAX_RECORD_BYTES)?, "/policy")
    }

    /// Has a bundle signed.
    ///
    /// # Errors
    /// When a rule cannot be sealed, or the key cannot sign.
    pub async fn sign(policy: Bundle, signer: &dyn Signer) -> Result<Self, BundleError> {
        let signature = signer.sign(Purpose::Policy, policy.hash()?.as_bytes()).await;
        let signature = signature.map_err(|error| BundleError::Sign(Box::new(error)))?;
        let signed = Self { issuer_pubkey: signer.public_key(), policy, signature };
        signed.check_signature()?;
        Ok(signed)
    }

    /// Checks that the issuer is trusted to issue policies and signed this bundle.
    ///
    /// # Errors
    /// When it is not, or did not.
    pub fn verify(self, trusted: impl Fn(&PublicKey) -> bool) -> Result<VerifiedBundle, BundleError> {
        if !trusted(&self.issuer_pubkey) {
            return Err(BundleError::Untrusted { bundle: self.policy.name, issuer: Box::new(self.issuer_pubkey) });
        }
        self.check_signature()?;
        Ok(VerifiedBundle(self))
    }

    pub(super) fn check_signature(&self) -> Result<(), BundleError> {
        let hash = self.policy.hash()?;
        let verified = self.issuer_pubkey.verify(Purpose::Policy, hash.as_bytes(), &self.signature);
        verified.map_err(|source| BundleError::Signature { bundle: self.policy.name.clone(), source: Box::new(source) })
    }
}

/// A bundle whose signature holds under a trusted key. Made only by [`SignedBundle::verify`].
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedBundle(SignedBundle);

impl VerifiedBundle {
    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.0.policy
    }

    /// Who issued it.
    pub fn issuer(&self) -> PublicKey {
        self.0.issuer_pubkey
    }

    /// The bundle as it was signed.
    pub fn into_signed(self) -> SignedBundle {
        self.0
    }
}

/// A bundle that nobody vouches for and that a host takes all the same: for simulation, tests and rules of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct UnsignedBundle(Bundle);

impl UnsignedBundle {
    /// Takes a bundle without a signature. The policy set names it as unsigned.
    pub fn accept_unsigned(bundle: Bundle) -> Self {
        Self(bundle)
    }

    /// The bundle.
    pub fn into_bundle(self) -> Bundle {
        self.0
    }
}

/// Reads a bundle's JSON; a fault in a rule is told with the rule's name.
fn read<T: DeserializeOwned>(value: Value, bundle_at: &str) -> Result<T, BundleError> {
    T::deserialize(&value).map_err(|error| {
        let rules = value.pointer(bundle_at).and_then(|bundle| bundle.get("rules")?.as_array());
        let faulty = rules.into_iter().flatten().enumerate().find_map(|(index, rule)| {
            let reason = Rule::deserialize(rule).err()?.to_string();
            let name = rule.get("name").and_then(Value::as_str);
            Some(BundleError::Rule { rule: name.map_or_else(|| format!("#{index}"), str::to_owned), reason })
        });
        faulty.unwrap_or_else(|| BundleError::Shape(error.to_string()))
    })
}
