use crate::{
    canon::{Bytes, EntryId, TrajectoryId},
    ledger::StoreError,
    proposal::{Claim, ClaimState},
    writ::{Amounts, Dimension},
};

/// What one trajectory spent and holds under one writ. As bytes: eight big-endian numbers, what is spent first, each in the
/// order tokens, tool calls, thousandths of a US cent, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// What is spent.
    pub spent: Amounts,
    /// What is held for turns and dispatches without an outcome.
    pub held: Amounts,
}

impl Account {
    /// The sum of accounts that this is, once one of them is `after` instead of `before`.
    #[must_use]
    pub fn add(&self, before: &Self, after: &Self) -> Self {
        // The numbers of a sum go beyond those of an amount.
        let add = |sum: &Amounts, before: &Amounts, after: &Amounts| {
            let of = |dimension: Dimension| {
                let (sum, before, after) = (sum.get(dimension), before.get(dimension), after.get(dimension));
                match sum {
                    // It may be more than can be said.
                    u64::MAX => sum,
                    _ if after < before => sum.saturating_sub(before - after),
                    _ => sum.saturating_add(after - before),
                }
            };
            let [tokens, tool_calls, usd_millicents, wall_clock_ms] = Dimension::ALL.map(of);
            Amounts { tokens, tool_calls, usd_millicents, wall_clock_ms }
        };
        Self { spent: add(&self.spent, &before.spent, &after.spent), held: add(&self.held, &before.held, &after.held) }
    }

    /// The register's value.
    pub fn to_bytes(&self) -> Bytes {
        let numbers = |amounts: &Amounts| Dimension::ALL.map(|dimension| amounts.get(dimension).to_be_bytes());
        Bytes::from([numbers(&self.spent), numbers(&self.held)].as_flattened().as_flattened())
    }

    /// Reads a register's value.
    ///
    /// # Errors
    /// When it is not one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let (numbers, []) = bytes.as_chunks() else { return Err(damaged("account", bytes)) };
        let numbers: &[_; 8] = numbers.try_into().map_err(|_| damaged("account", bytes))?;
        let [tokens, tool_calls, usd_millicents, wall_clock_ms, held @ ..] = numbers.map(u64::from_be_bytes);
        let spent = Amounts { tokens, tool_calls, usd_millicents, wall_clock_ms };
        let [tokens, tool_calls, usd_millicents, wall_clock_ms] = held;
        Ok(Self { spent, held: Amounts { tokens, tool_calls, usd_millicents, wall_clock_ms } })
    }
}

/// What became of a proposal: the entry that says so, on the proposal's own trajectory. As bytes: `d` or `x`, then the
/// entry's seq, big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalState {
    /// It was dispatched, and has no outcome.
    Dispatched {
        /// The dispatch.
        seq: u64,
    },
    /// It has an outcome.
    Concluded {
        /// The commit, the failure, or the resolution of the doubt.
        seq: u64,
    },
}

impl ProposalState {
    /// The register's value.
    pub fn to_bytes(&self) -> Bytes {
        let (state, seq) = match self {
            Self::Dispatched { seq } => (b'd', seq),
            Self::Concluded { seq } => (b'x', seq),
        };
        [&[state], seq.to_be_bytes().as_slice()].concat().into()
    }

    /// Reads a register's value.
    ///
    /// # Errors
    /// When it is not one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        match bytes.split_first() {
            Some((b'd', seq)) => Ok(Self::Dispatched { seq: seq_of(seq)? }),
            Some((b'x', seq)) => Ok(Self::Concluded { seq: seq_of(seq)? }),
            _ => Err(damaged("outcome", bytes)),
        }
    }
}

/// The authority entry that opened the current epoch. As bytes: its id, then its seq, big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// The entry.
    pub entry: EntryId,
    /// Its seq on the authority trajectory.
    pub seq: u64,
}

impl Epoch {
    /// The register's value.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = [0; 40];
        let (entry, seq) = bytes.split_at_mut(32);
        entry.copy_from_slice(self.entry.as_bytes());
        seq.copy_from_slice(&self.seq.to_be_bytes());
        bytes.as_slice().into()
    }

    /// Reads a register's value.
    ///
    /// # Errors
    /// When it is not one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let (entry, seq) = bytes.split_first_chunk::<32>().ok_or_else(|| damaged("epoch", bytes))?;
        Ok(Self { entry: EntryId(*entry), seq: seq_of(seq)? })
    }
}

/// A seq as a register's value: eight bytes, big-endian.
pub fn seq_bytes(seq: u64) -> Bytes {
    seq.to_be_bytes().as_slice().into()
}

/// Reads a seq from a register's value.
///
/// # Errors
/// When it is none.
pub fn seq_of(bytes: &[u8]) -> Result<u64, StoreError> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| damaged("seq", bytes))
}

/// A claim as a register's value: `d` or `x`, the entry's trajectory, its seq, big-endian.
pub fn claim_bytes(claim: &Claim) -> Bytes {
    let state = match claim.state {
        ClaimState::InDoubt => b'd',
        ClaimState::Done => b'x',
    };
    [&[state], claim.trajectory.as_bytes().as_slice(), &claim.seq.to_be_bytes()].concat().into()
}

/// Reads a claim from a register's value.
///
/// # Errors
/// When it is none.
pub fn claim_of(bytes: &[u8]) -> Result<Claim, StoreError> {
    let damaged = || damaged("business key", bytes);
    let (state, place) = bytes.split_first().ok_or_else(damaged)?;
    let state = match state {
        b'd' => ClaimState::InDoubt,
        b'x' => ClaimState::Done,
        _ => return Err(damaged()),
    };
    let (trajectory, seq) = place.split_first_chunk::<32>().ok_or_else(damaged)?;
    Ok(Claim { seq: seq_of(seq)?, state, trajectory: TrajectoryId(*trajectory) })
}

fn damaged(what: &str, bytes: &[u8]) -> StoreError {
    StoreError::Damaged(format!("the {what} register holds {} bytes that are not one", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_back_and_others_are_refused() {
        let amounts = |from: u64| Amounts {
            tokens: from,
            tool_calls: from + 1,
            usd_millicents: from + 2,
            wall_clock_ms: from + 3,
        };
        let account = Account { spent: amounts(1), held: amounts(5) };
        assert_eq!(*account.to_bytes(), *(1..=8).flat_map(u64::to_be_bytes).collect::<Vec<_>>());
        assert_eq!(Account::from_bytes(&account.to_bytes()).ok(), Some(account));
        for state in [ProposalState::Dispatched { seq: 3 }, ProposalState::Concluded { seq: 4 }] {
            assert_eq!(ProposalState::from_bytes(&state.to_bytes()).ok(), Some(state));
        }
        let epoch = Epoch { entry: EntryId([1; 32]), seq: 2 };
        assert_eq!(Epoch::from_bytes(&epoch.to_bytes()).ok(), Some(epoch));
        let claim = Claim { seq: 9, state: ClaimState::Done, trajectory: TrajectoryId([5; 32]) };
        assert_eq!(claim_of(&claim_bytes(&claim)).ok(), Some(claim));
        for bytes in
            [b"".as_slice(), b"d", b"d12345678z", &[b'x'; 42], &[0; 65], &[0; 63], &[0; 56], &[0; 72], &[7; 39]]
        {
            assert!(Account::from_bytes(bytes).is_err() && ProposalState::from_bytes(bytes).is_err());
            assert!(Epoch::from_bytes(bytes).is_err() && claim_of(bytes).is_err());
        }
    }
}
