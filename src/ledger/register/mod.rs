//! Small values beside the entries, compared and set together with them. All of them can be rebuilt from entries.

mod value;

pub use value::{Account, Epoch, ProposalState, claim_bytes, claim_of, seq_bytes, seq_of};

use super::StoreError;
use crate::canon::{BusinessKeyHash, Bytes, ContractHash, EntryId, ProposalId, TrajectoryId, WritId};

/// The key of a register: a short byte string with a one-byte class in front.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterKey(Vec<u8>);

/// What a register is for; the first byte of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Register {
    /// What became of a proposal. Key: proposal id. Value: [`ProposalState`].
    Outcome = b'o',
    /// What one trajectory spent and holds of one writ's budget. Key: writ id ‖ trajectory id, and the presented writ for what
    /// was spent on undoing. Value: [`Account`].
    Account = b'a',
    /// What all trajectories together spent and hold of a writ's budget: the sum of their accounts. Key: writ id. Value:
    /// [`Account`].
    Total = b'w',
    /// That an effect was undone, or is about to be. Key: the id of its entry. Value: a [`Claim`](crate::proposal::Claim).
    Compensated = b'c',
    /// The last authority entry that opened an epoch. Key: empty. Value: [`Epoch`].
    Epoch = b'e',
    /// The authority entry that opened a run. Key: trajectory id. Value: its seq.
    Opened = b'r',
    /// The authority entry that holds a contract. Key: contract hash. Value: its seq.
    Contract = b't',
    /// The call that has a business key. Key: the key's hash. Value: a [`Claim`](crate::proposal::Claim).
    BusinessKey = b'k',
    /// How many runs there are below one at the top of a lineage. Key: its trajectory id. Value: the number, as a seq.
    Descendants = b'd',
    /// A request for approval that waits. Key: trajectory id ‖ its seq. Value: the id of its proposal.
    Request = b'q',
}

impl Register {
    /// Every class.
    pub const ALL: [Self; 10] = [
        Self::Outcome,
        Self::Account,
        Self::Total,
        Self::Compensated,
        Self::Epoch,
        Self::Opened,
        Self::Contract,
        Self::BusinessKey,
        Self::Descendants,
        Self::Request,
    ];

    /// The class of a register, by its key.
    pub fn of(key: &RegisterKey) -> Option<Self> {
        let class = key.0.first()?;
        Self::ALL.into_iter().find(|register| *register as u8 == *class)
    }
}

impl RegisterKey {
    fn new(register: Register, parts: &[&[u8]]) -> Self {
        let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
        key.push(register as u8);
        parts.iter().for_each(|part| key.extend_from_slice(part));
        Self(key)
    }

    /// All registers of a class: a prefix of their keys.
    pub fn all(register: Register) -> Self {
        Self::new(register, &[])
    }

    /// Where the outcome of a proposal stands.
    pub fn outcome(proposal: &ProposalId) -> Self {
        Self::new(Register::Outcome, &[proposal.as_bytes()])
    }

    /// What a trajectory used of a writ's budget.
    pub fn account(writ: &WritId, trajectory: &TrajectoryId) -> Self {
        Self::new(Register::Account, &[writ.as_bytes(), trajectory.as_bytes()])
    }

    /// What undoing in a trajectory, under a presented writ, used of the budget of a writ of its chain.
    pub fn undo_account(writ: &WritId, trajectory: &TrajectoryId, presented: &WritId) -> Self {
        Self::new(Register::Account, &[writ.as_bytes(), trajectory.as_bytes(), presented.as_bytes()])
    }

    /// What all trajectories used of a writ's budget: a prefix of their accounts' keys.
    pub fn accounts(writ: &WritId) -> Self {
        Self::new(Register::Account, &[writ.as_bytes()])
    }

    /// What all trajectories together used of a writ's budget.
    pub fn total(writ: &WritId) -> Self {
        Self::new(Register::Total, &[writ.as_bytes()])
    }

    /// That an effect was undone, or is about to be.
    pub fn compensated(effect: &EntryId) -> Self {
        Self::new(Register::Compensated, &[effect.as_bytes()])
    }

    /// The epoch of the store's authority.
    pub fn epoch() -> Self {
        Self::new(Register::Epoch, &[])
    }

    /// Where a run was opened.
    pub fn opened(trajectory: &TrajectoryId) -> Self {
        Self::new(Register::Opened, &[trajectory.as_bytes()])
    }

    /// Where a contract is recorded.
    pub fn contract(hash: &ContractHash) -> Self {
        Self::new(Register::Contract, &[hash.as_bytes()])
    }

    /// Which call has a business key.
    pub fn business_key(key: &BusinessKeyHash) -> Self {
        Self::new(Register::BusinessKey, &[key.as_bytes()])
    }

    /// How many runs there are below one.
    pub fn descendants(top: &TrajectoryId) -> Self {
        Self::new(Register::Descendants, &[top.as_bytes()])
    }

    /// That a request for approval waits.
    pub fn request(trajectory: &TrajectoryId, seq: u64) -> Self {
        Self::new(Register::Request, &[trajectory.as_bytes(), &seq.to_be_bytes()])
    }

    /// The trajectory and the seq of a request that waits, where this is the key of one.
    pub fn as_request(&self) -> Option<(TrajectoryId, u64)> {
        let place = self.0.strip_prefix(&[Register::Request as u8])?;
        let (trajectory, seq) = place.split_first_chunk::<32>()?;
        Some((TrajectoryId(*trajectory), u64::from_be_bytes(seq.try_into().ok()?)))
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for RegisterKey {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// What a batch does with one register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisterOp {
    /// The whole batch fails unless the register holds this value, or is absent for `None`.
    Expect {
        /// The register.
        key: RegisterKey,
        /// What it must hold.
        value: Option<Bytes>,
    },
    /// Sets the register, or removes it for `None`.
    Set {
        /// The register.
        key: RegisterKey,
        /// What it shall hold.
        value: Option<Bytes>,
    },
    /// Changes a register that holds a sum of accounts by what one of them changed by. One that is absent stays so.
    Add {
        /// The register.
        key: RegisterKey,
        /// What the account was.
        before: Account,
        /// What it is from now on.
        after: Account,
    },
}

impl RegisterOp {
    /// What a register holds after this operation on it, whose key and `stored` value are given; an expectation changes
    /// nothing. For stores, which apply the operations of a batch in order.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a sum of accounts is to be changed, and the register holds none.
    pub fn apply(self, stored: Option<Bytes>) -> Result<Option<Bytes>, StoreError> {
        match self {
            Self::Expect { .. } => Ok(stored),
            Self::Set { value, .. } => Ok(value),
            Self::Add { before, after, .. } => {
                let add = |stored: Bytes| Ok(Account::from_bytes(&stored)?.add(&before, &after).to_bytes());
                stored.map(add).transpose()
            }
        }
    }

    /// The register that is compared or changed.
    pub fn key(&self) -> &RegisterKey {
        match self {
            Self::Expect { key, .. } | Self::Set { key, .. } | Self::Add { key, .. } => key,
        }
    }
}
