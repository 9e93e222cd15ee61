use crate::canon::FileHash;

/// What a call would change, for whoever is asked to approve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// What would be changed, such as the path of a file.
    pub subject: String,
    /// As it is.
    pub before: Content,
    /// As it would be.
    pub after: Content,
    /// The version of `before`, as [`ToolContract::probe`](super::ToolContract::probe) gives it.
    pub version: Option<FileHash>,
}

/// What there is, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Nothing.
    Absent,
    /// A text, which can be compared.
    Text(String),
    /// Something that cannot be shown as a text, of so many bytes.
    Opaque {
        /// How many.
        bytes: u64,
    },
}
