use serde::{Deserialize, Serialize};

/// What a signature is for; part of the signed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Purpose {
    /// An entry, by its id.
    Entry,
    /// A writ, by its id.
    Writ,
    /// The start of a run or branch, by its trajectory id.
    Start,
    /// A policy bundle, by its hash.
    Policy,
    /// A roster of approvers, by its hash.
    Roster,
    /// The revocation of a writ, by the statement's hash.
    Revocation,
    /// An approver's vote, by the statement's hash.
    Vote,
    /// The replacement of a key, by the statement's hash.
    Rotation,
    /// The settlement of an effect in doubt, by the statement's hash.
    Resolution,
    /// The head of an export, by the statement's hash.
    ExportHead,
    /// The reset of the clock, by the statement's hash.
    ClockReset,
    /// What a run amounts to after one of its entries, by the statement's hash.
    Snapshot,
    /// The undoing of what a run did, by the statement's hash.
    Compensation,
}

impl Purpose {
    fn text(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Writ => "writ",
            Self::Start => "start",
            Self::Policy => "policy",
            Self::Roster => "roster",
            Self::Revocation => "revocation",
            Self::Vote => "vote",
            Self::Rotation => "rotation",
            Self::Resolution => "resolution",
            Self::ExportHead => "export head",
            Self::ClockReset => "clock reset",
            Self::Snapshot => "snapshot",
            Self::Compensation => "compensation",
        }
    }

    /// The bytes that are signed for `digest`.
    pub fn message(self, digest: &[u8; 32]) -> Vec<u8> {
        let mut message = Vec::with_capacity(72);
        message.extend_from_slice(b"openthymos v1 signature ");
        message.extend_from_slice(self.text().as_bytes());
        message.push(0);
        message.extend_from_slice(digest);
        message
    }
}
