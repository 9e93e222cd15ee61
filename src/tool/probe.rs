use crate::canon::FileHash;

/// What a tool finds on the host before a call is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Whether that state lets the call be undone, such as a file whose content fits into the ledger.
    pub compensable: bool,
    /// The version of that state; `None` for a call that depends on none.
    pub version: Option<FileHash>,
}

impl Probe {
    /// A version, and no objection to an undo.
    pub fn version(version: FileHash) -> Self {
        Self { version: Some(version), ..Self::default() }
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self { compensable: true, version: None }
    }
}
