//! Typed ids: 32 bytes, lower-case hex in text. One type per kind, so that they cannot be swapped.

/// Defines a newtype over `[u8; N]` that is lower-case hex in text and JSON.
macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::canon::Digits::of(&self.0).as_str())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::canon::HexError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::canon::decode_array(text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::canon::Digits::of(&self.0).as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::canon::deserialize_hex(deserializer).map(Self)
            }
        }
    };
}
pub(crate) use fixed_bytes;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            fixed_bytes!($(#[$doc])* $name, 32);

            impl $name {
                /// Thirty-two zero bytes: "none" where a fixed field has to hold something.
                pub const ZERO: Self = Self([0; 32]);

                /// The first twelve hex digits, for people; lists and commands accept it where it is unique.
                pub fn short(&self) -> String {
                    $crate::canon::encode(&self.0[..6])
                }
            }
        )*
    };
}

ids! {
    /// Names an entry: the hash of its header.
    EntryId;
    /// Names a trajectory: the hash of the statement that started it.
    TrajectoryId;
    /// Names a store: the hash of its genesis record.
    StoreId;
    /// The hash of a record's bytes.
    RecordHash;
    /// Names a public key: its hash.
    KeyId;
    /// Names a writ: the hash of its body.
    WritId;
    /// Names a tool contract: the hash of all that it declares.
    ContractHash;
    /// Names an intent.
    IntentId;
    /// Names a proposal: nothing that a later compile can change.
    ProposalId;
    /// The hash of a decision.
    DecisionHash;
    /// Names a policy bundle.
    BundleHash;
    /// Names a policy set: the hash of all its rules and gates.
    PolicySetHash;
    /// Names a roster of approvers.
    RosterHash;
    /// Names a skill.
    SkillHash;
    /// The root of a world's Merkle map; zero for an empty world.
    WorldRoot;
    /// A salted hash that stands for a value in records and ids.
    Commitment;
    /// The hash of a signed statement.
    StatementHash;
    /// The Merkle root of a checkpoint.
    CheckpointHash;
    /// The hash of a tool's name and a business key. Not salted, since equal keys have to be found again: whoever can guess
    /// a key can confirm it.
    BusinessKeyHash;
    /// The version of a file's content.
    FileHash;
    /// The effects of a run that were not undone, hashed one after the other; zero for none.
    EffectsHash;
}

fixed_bytes!(
    /// Sixteen random bytes that make a writ, an intent or a start individually identifiable.
    Nonce,
    16
);
