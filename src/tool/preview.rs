use crate::canon::FileHash;

/// What a call would change, as texts that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// What would be changed, such as the path of a file.
    pub subject: String,
    /// As it is; `None` when there is none.
    pub before: Option<String>,
    /// As it would be; `None` when there would be none.
    pub after: Option<String>,
    /// The version of `before`, as [`ToolContract::probe`](super::ToolContract::probe) gives it.
    pub version: Option<FileHash>,
}
