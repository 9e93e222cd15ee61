use super::{ChainError, UnverifiedChain, WritChain};
use crate::canon::WritId;

/// A chain of writs as a run is started under it: one that was verified before is not verified again.
#[derive(Debug, Clone, PartialEq)]
pub enum PresentedChain {
    /// Its signatures and links hold.
    Verified(WritChain),
    /// As it came from outside.
    Unverified(UnverifiedChain),
}

impl PresentedChain {
    /// Checks every signature and link, unless that was done.
    ///
    /// # Errors
    /// The first fault, from the root on.
    pub fn verify(self) -> Result<WritChain, ChainError> {
        match self {
            Self::Verified(chain) => Ok(chain),
            Self::Unverified(chain) => chain.verify(),
        }
    }

    /// The id of the last writ; none where there is none, or it cannot be sealed.
    pub fn id(&self) -> Option<WritId> {
        match self {
            Self::Verified(chain) => Some(chain.id()),
            Self::Unverified(chain) => chain.chain.last()?.writ.id().ok(),
        }
    }
}

impl From<WritChain> for PresentedChain {
    fn from(chain: WritChain) -> Self {
        Self::Verified(chain)
    }
}

impl From<&WritChain> for PresentedChain {
    fn from(chain: &WritChain) -> Self {
        Self::Verified(chain.clone())
    }
}

impl From<UnverifiedChain> for PresentedChain {
    fn from(chain: UnverifiedChain) -> Self {
        Self::Unverified(chain)
    }
}
