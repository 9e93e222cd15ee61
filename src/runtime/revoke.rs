use super::{core::Core, error::RunError, secrets};
use crate::{
    canon::WritId,
    crypto::{NamedKey, PublicKey, Purpose, Role},
    host::Signer,
    ledger::{
        Draft, Kind,
        record::{Revocation, RevocationStatement},
    },
};

/// Why a writ was not revoked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// The key may not revoke here.
    #[error("key {key} is not trusted as writ issuer, so it revokes nothing here")]
    NotTrusted {
        /// The key.
        key: PublicKey,
    },
    /// The signer's signature does not verify under its key.
    #[error(transparent)]
    Signature(#[from] crate::crypto::SignatureError),
    /// The ledger or the key failed; nothing is revoked.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Records a revocation; when it returns, it is durable and in force for every effect that is not dispatched yet.
pub(super) async fn revoke(
    core: &Core,
    writ: WritId,
    reason: &str,
    name: &str,
    signer: &dyn Signer,
) -> Result<(), RevokeError> {
    let key = signer.public_key();
    if !core.authority.state().trust.has(&key, Role::WritIssuer) {
        return Err(RevokeError::NotTrusted { key });
    }
    let statement =
        RevocationStatement { by: NamedKey::new(name, key), reason: secrets::text(&core.redactor, reason), writ };
    let hash = statement.hash().map_err(RunError::from)?;
    let signature = signer.sign(Purpose::Revocation, hash.as_bytes()).await.map_err(RunError::from)?;
    key.verify(Purpose::Revocation, hash.as_bytes(), &signature)?;
    let draft = Draft::seal(Kind::Revocation, &Revocation { signature, statement }, vec![]).map_err(RunError::from)?;
    Ok(core.authority.append(core, vec![draft], vec![], |_| vec![]).await?)
}
