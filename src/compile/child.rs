use crate::{
    canon::{Blob, WritId},
    writ::WritBody,
};

/// A child run as it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// What it is to do.
    pub task: Blob,
    /// Its writ, which the parent's subject has yet to sign.
    pub writ: WritBody,
    /// The writ's id.
    pub writ_id: WritId,
}
