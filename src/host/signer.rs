use async_trait::async_trait;

use crate::crypto::{PublicKey, Purpose, SecretKey, Signature};

/// A signer could not sign.
#[derive(Debug, Clone, thiserror::Error)]
#[error("key {key} could not sign: {reason}")]
pub struct SignError {
    /// The key that was asked.
    pub key: PublicKey,
    /// Why it could not.
    pub reason: String,
}

/// Signs with a key that may live elsewhere: in a file, an agent or a key service.
///
/// # Contract
/// `public_key` never changes. `sign` signs exactly [`Purpose::message`] with the key behind `public_key`.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The public half of the key.
    fn public_key(&self) -> PublicKey;

    /// Signs `digest` for `purpose`.
    ///
    /// # Errors
    /// When the key cannot be reached or refuses.
    async fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> Result<Signature, SignError>;
}

#[async_trait]
impl Signer for SecretKey {
    fn public_key(&self) -> PublicKey {
        SecretKey::public_key(self)
    }

    async fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> Result<Signature, SignError> {
        Ok(SecretKey::sign(self, purpose, digest))
    }
}
