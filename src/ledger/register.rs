use crate::canon::Bytes;

/// The key of a register: a short byte string with a one-byte class in front.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterKey(Vec<u8>);

/// What a register is for; the first byte of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Register {
    /// How a proposal ended. Key: proposal id.
    Outcome = b'o',
    /// What one trajectory spent and holds of one writ's budget. Key: writ id ‖ trajectory id.
    Account = b'a',
    /// That a commit was undone. Key: entry id.
    Compensated = b'c',
    /// The last authority entry that opened an epoch: its id ‖ its seq, big-endian. Key: empty.
    Epoch = b'e',
    /// The seq, big-endian, of the authority entry that opened a run. Key: trajectory id.
    Opened = b'r',
    /// The seq, big-endian, of the authority entry that holds a contract. Key: contract hash.
    Contract = b't',
    /// A business key whose effect is in doubt or done. Key: tool and key, hashed.
    BusinessKey = b'k',
}

impl RegisterKey {
    /// The key of a register.
    pub fn new(register: Register, parts: &[&[u8]]) -> Self {
        let mut key = vec![register as u8];
        parts.iter().for_each(|part| key.extend_from_slice(part));
        Self(key)
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
}
