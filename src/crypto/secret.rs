use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use super::{PublicKey, Purpose, Signature};
use crate::canon::{self, HexError};

/// An ed25519 secret key held in this process; wiped when dropped, never printed.
///
/// To sign with a key that is held elsewhere, implement [`crate::host::Signer`].
#[derive(Clone)]
pub struct SecretKey {
    secret: SigningKey,
    public: PublicKey,
}

impl SecretKey {
    /// Draws a key from the operating system's random source.
    ///
    /// # Errors
    /// When that source fails.
    pub fn generate() -> std::io::Result<Self> {
        let mut seed = Zeroizing::new([0u8; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(std::io::Error::other)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key that RFC 8032 derives from 32 secret bytes.
    #[expect(clippy::expect_used, reason = "a key derived from a clamped scalar is never of small order")]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let secret = SigningKey::from_bytes(seed);
        let public = PublicKey::from_bytes(secret.verifying_key().as_bytes()).expect("a derived key is a strong key");
        Self { secret, public }
    }

    /// Reads the 64 hex digits that [`to_hex`](Self::to_hex) writes.
    ///
    /// # Errors
    /// When the text has another form; the error does not repeat it.
    pub fn from_hex(text: &str) -> Result<Self, HexError> {
        let seed = canon::decode_array::<32>(text.trim())
            .map_err(|error| HexError { found: "(a secret, not shown)".into(), ..error })?;
        Ok(Self::from_seed(&Zeroizing::new(seed)))
    }

    /// The secret as 64 hex digits, for a key file.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(canon::encode(self.secret.as_bytes()))
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Signs `digest` for `purpose`.
    pub fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> Signature {
        Signature(self.secret.sign(&purpose.message(digest)).to_bytes())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(of {})", self.public_key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyError;

    #[test]
    fn a_signature_serves_one_purpose_one_digest_and_one_key() {
        let secret = SecretKey::from_seed(&[7; 32]);
        let signature = secret.sign(Purpose::Writ, &[1; 32]);
        let key = secret.public_key();
        assert!(key.verify(Purpose::Writ, &[1; 32], &signature).is_ok());
        assert!(key.verify(Purpose::Entry, &[1; 32], &signature).is_err());
        assert!(key.verify(Purpose::Writ, &[2; 32], &signature).is_err());
        assert!(SecretKey::from_seed(&[8; 32]).public_key().verify(Purpose::Writ, &[1; 32], &signature).is_err());
    }

    #[test]
    fn weak_keys_malleable_signatures_and_secrets_in_text_are_refused() {
        let mut one = [0u8; 32];
        one[0] = 1;
        assert!(matches!(PublicKey::from_bytes(&one), Err(KeyError::Weak { .. })));
        let secret = SecretKey::from_seed(&[7; 32]);
        let mut signature = secret.sign(Purpose::Writ, &[1; 32]);
        // Adding the group order to S gives the other encoding of the same signature.
        let order =
            canon::decode_array::<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        let mut carry = 0u16;
        for (byte, add) in signature.0[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert!(secret.public_key().verify(Purpose::Writ, &[1; 32], &signature).is_err());
        assert!(!format!("{secret:?}").contains(&**secret.to_hex()));
        assert!(!SecretKey::from_hex("deadbeef").unwrap_err().to_string().contains("deadbeef"));
    }
}
