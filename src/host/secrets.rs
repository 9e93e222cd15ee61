use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use crate::crypto::Secret;

/// Why a secret cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// There is no secret of that name.
    #[error("there is no secret `{0}`")]
    NotFound(String),
    /// The store cannot say: it cannot be reached, or refuses.
    #[error("secret `{name}` is not available: {reason}")]
    Unavailable {
        /// The secret's name.
        name: String,
        /// Why it cannot be had.
        reason: String,
    },
}

/// Has the secrets that arguments name by handle, `{"$secret": "name"}`: a vault, a key ring, a map.
///
/// # Contract
/// - It is asked only for calls that were allowed, at the moment of the call; what it answers is not kept.
/// - Names come from whoever proposes. They are keys to look up, not paths or commands.
/// - It answers within ten seconds, or the call is refused.
///
/// ```
/// use async_trait::async_trait;
/// use openthymos::{crypto::Secret, host::{SecretError, SecretStore}};
///
/// /// Files of one folder, by name.
/// struct Folder(std::path::PathBuf);
///
/// #[async_trait]
/// impl SecretStore for Folder {
///     async fn secret(&self, name: &str) -> Result<Secret, SecretError> {
///         if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
///             return Err(SecretError::NotFound(name.into()));
///         }
///         std::fs::read_to_string(self.0.join(name)).map(Secret::new).map_err(|error| match error.kind() {
///             std::io::ErrorKind::NotFound => SecretError::NotFound(name.into()),
///             _ => SecretError::Unavailable { name: name.into(), reason: error.to_string() },
///         })
///     }
/// }
/// ```
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// The secret of that name.
    ///
    /// # Errors
    /// When there is none, or the store cannot say. The call is refused then.
    async fn secret(&self, name: &str) -> Result<Secret, SecretError>;
}

/// Has no secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecrets;

#[async_trait]
impl SecretStore for NoSecrets {
    async fn secret(&self, name: &str) -> Result<Secret, SecretError> {
        Err(SecretError::NotFound(name.into()))
    }
}

/// Secrets in memory, by name.
#[derive(Debug, Clone, Default)]
pub struct MapSecrets(BTreeMap<String, Secret>);

impl MapSecrets {
    /// Adds a secret.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, secret: Secret) -> Self {
        self.0.insert(name.into(), secret);
        self
    }
}

#[async_trait]
impl SecretStore for MapSecrets {
    async fn secret(&self, name: &str) -> Result<Secret, SecretError> {
        self.0.get(name).cloned().ok_or_else(|| SecretError::NotFound(name.into()))
    }
}

/// Named variables of the process's environment, and no others. They are read when they are asked for.
#[derive(Debug, Clone, Default)]
pub struct EnvSecrets(BTreeSet<String>);

impl EnvSecrets {
    /// Hands out the variables of these names.
    pub fn named(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

#[async_trait]
impl SecretStore for EnvSecrets {
    async fn secret(&self, name: &str) -> Result<Secret, SecretError> {
        let unavailable = |reason: &str| SecretError::Unavailable { name: name.into(), reason: reason.into() };
        if !self.0.contains(name) {
            return Err(SecretError::NotFound(name.into()));
        }
        match std::env::var(name) {
            Ok(secret) => Ok(Secret::new(secret)),
            Err(std::env::VarError::NotPresent) => Err(unavailable("the variable is not set")),
            Err(std::env::VarError::NotUnicode(_)) => Err(unavailable("the variable is not UTF-8")),
        }
    }
}
