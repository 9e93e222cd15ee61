use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Bundle, MAX_NAME_BYTES, MAX_RULES, Rule};
use crate::{
    canon::{
        CanonError, LimitError, MAX_RECORD_BYTES, ParseError, canonical_value, misshapen, parse, shown, to_canonical,
    },
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
    /// The JSON has members that say nothing: not the members that are signed.
    #[error("policy bundle: it is not in the form in which bundles are signed: leave out what is null")]
    Form,
    /// A bundle is larger than one may be.
    #[error("policy bundle: {0}")]
    Limit(LimitError),
    /// A rule is larger than one may be.
    #[error("policy bundle, rule `{rule}`: {source}")]
    RuleLimit {
        /// The rule's name, cut after 160 characters.
        rule: String,
        /// What there is too much of.
        source: LimitError,
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
    /// When the bytes are not sealable JSON, duplicate keys included, not a bundle, unknown members and those that say
    /// nothing included, or larger than a bundle may be.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BundleError> {
        let bundle: Self = read(parse(bytes, MAX_RECORD_BYTES)?, "")?;
        bundle.check_limits()?;
        Ok(bundle)
    }

    fn check_limits(&self) -> Result<(), BundleError> {
        LimitError::check("rules", self.rules.len(), MAX_RULES).map_err(BundleError::Limit)?;
        for text in [&self.name, &self.version] {
            LimitError::check("bytes in a name", text.len(), MAX_NAME_BYTES).map_err(BundleError::Limit)?;
        }
        for rule in &self.rules {
            rule.check_limits().map_err(|source| BundleError::RuleLimit { rule: shown(&rule.name), source })?;
        }
        Ok(())
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
        let signed: Self = read(parse(bytes, MAX_RECORD_BYTES)?, "/policy")?;
        signed.policy.check_limits()?;
        Ok(signed)
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
fn read<T: DeserializeOwned + Serialize>(value: Value, bundle_at: &str) -> Result<T, BundleError> {
    let rules = value.pointer(bundle_at).and_then(|bundle| bundle.get("rules")?.as_array());
    LimitError::check("rules", rules.map_or(0, Vec::len), MAX_RULES).map_err(BundleError::Limit)?;
    let bundle = T::deserialize(&value).map_err(|error| {
        let faulty = rules.into_iter().flatten().enumerate().find_map(|(index, rule)| {
            let reason = misshapen(&Rule::deserialize(rule).err()?);
            let name = rule.get("name").and_then(Value::as_str);
            Some(BundleError::Rule { rule: name.map_or_else(|| format!("#{index}"), shown), reason })
        });
        faulty.unwrap_or_else(|| BundleError::Shape(misshapen(&error)))
    })?;
    if to_canonical(&bundle)? == canonical_value(&value)? { Ok(bundle) } else { Err(BundleError::Form) }
}
