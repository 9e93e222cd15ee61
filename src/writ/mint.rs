use super::{
    Amounts, Audience, ChainError, Delegation, Scope, SignedWrit, UnverifiedChain, WRIT_FORMAT, Window, WritBody,
    WritChain,
};
use crate::{
    canon::{CanonError, Nonce, StoreId},
    contract::Effect,
    crypto::{NamedKey, Purpose},
    host::{Entropy, EntropyError, SignError, Signer, SystemEntropy},
};

/// Why a writ could not be issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The signer's key is not the issuer's.
    #[error("signer holds key {signer}, and the issuer is `{issuer}`")]
    WrongSigner {
        /// The signer's key.
        signer: crate::crypto::PublicKey,
        /// The issuer's name.
        issuer: String,
    },
    /// The writ does not follow from its parent.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A condition holds a value that cannot be sealed.
    #[error(transparent)]
    Seal(#[from] CanonError),
    /// The key could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// No nonce could be drawn.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Composes a writ and has it signed.
///
/// What is not set is not granted: no store, no scope, no budget, [`Effect::Read`], no delegation. A window that is not
/// set has no ends.
#[derive(Debug, Clone)]
pub struct WritBuilder {
    body: WritBody,
    above: Option<WritChain>,
}

impl WritBuilder {
    /// A root writ from `issuer` to `subject`.
    pub fn root(issuer: NamedKey, subject: NamedKey) -> Self {
        Self {
            body: WritBody {
                audience: Audience::Stores(Vec::new()),
                budget: Amounts::ZERO,
                delegation: Delegation::default(),
                effect_ceiling: Effect::Read,
                format: WRIT_FORMAT,
                issuer,
                nonce: Nonce([0; 16]),
                parent: None,
                scopes: Vec::new(),
                subject,
                tenant: "default".into(),
                window: Window::ALWAYS,
            },
            above: None,
        }
    }

    /// A writ below the last of `parent`, to `subject`: as wide as the parent, one generation shallower, until narrowed.
    pub fn child(parent: &WritChain, subject: NamedKey) -> Self {
        let above = parent.leaf();
        let body = WritBody {
            issuer: above.subject.clone(),
            subject,
            parent: Some(parent.id()),
            delegation: Delegation { depth: above.delegation.depth.saturating_sub(1), may_subdivide: false },
            ..above.clone()
        };
        Self { body, above: Some(parent.clone()) }
    }

    /// Sets the tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.body.tenant = tenant.into();
        self
    }

    /// Sets the stores in which it may be used.
    #[must_use]
    pub fn stores(mut self, stores: impl IntoIterator<Item = StoreId>) -> Self {
        self.body.audience = Audience::Stores(stores.into_iter().collect());
        self
    }

    /// Lets it be used in any store; its budget is then per store.
    #[must_use]
    pub fn any_store(mut self) -> Self {
        self.body.audience = Audience::Any;
        self
    }

    /// Sets what may be called, in place of what was set before.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.body.scopes = scopes.into_iter().collect();
        self
    }

    /// Sets the budget.
    #[must_use]
    pub fn budget(mut self, budget: Amounts) -> Self {
        self.body.budget = budget;
        self
    }

    /// Sets the effect ceiling.
    #[must_use]
    pub fn effects_up_to(mut self, ceiling: Effect) -> Self {
        self.body.effect_ceiling = ceiling;
        self
    }

    /// Sets the window.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.body.window = window;
        self
    }

    /// Lets the subject delegate, `depth` generations deep.
    #[must_use]
    pub fn delegable(mut self, depth: u32) -> Self {
        self.body.delegation = Delegation { depth, may_subdivide: depth > 0 };
        self
    }

    /// Draws a nonce from the operating system, signs, and checks the chain that results.
    ///
    /// # Errors
    /// When the signer is not the issuer, the writ is wider than its parent, or signing fails.
    pub async fn sign(self, signer: &dyn Signer) -> Result<WritChain, IssueError> {
        self.sign_with(signer, &SystemEntropy).await
    }

    /// As [`sign`](Self::sign), with the nonce from `entropy`.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub async fn sign_with(mut self, signer: &dyn Signer, entropy: &dyn Entropy) -> Result<WritChain, IssueError> {
        if signer.public_key() != self.body.issuer.key {
            return Err(IssueError::WrongSigner { signer: signer.public_key(), issuer: self.body.issuer.name.clone() });
        }
        entropy.fill(&mut self.body.nonce.0)?;
        let id = self.body.id()?;
        let signature = signer.sign(Purpose::Writ, id.as_bytes()).await?;
        let signed = SignedWrit { signature, writ: self.body };
        Ok(match self.above {
            Some(parent) => parent.extend(signed)?,
            None => UnverifiedChain { chain: vec![signed] }.verify()?,
        })
    }
}
