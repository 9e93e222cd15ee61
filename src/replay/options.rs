use std::num::NonZeroUsize;

/// How thoroughly a replay checks, and with what means. The default is what a verdict is understood to rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Whether the signatures of a [pinned signer](super::Pins::signer) are verified in batches; without such a pin it has no
    /// effect. It takes about a third of the time and shows that whoever has the signer's key signed the entries. It does not
    /// show that each signature has the one strict form that others may insist on; the [report](super::Report::batched) says so.
    pub batch: bool,
    /// Whether the world's root is compared after every commit, and not only with the last one's.
    ///
    /// Every change is applied in either case, at the versions that its record expects, and the world at the end is the one
    /// whose root the last commit records. What stays unseen otherwise is a commit in the middle whose record claims a root
    /// that the world did not have: whoever holds the runtime's key can write one, and nothing is derived from it.
    pub every_root: bool,
    /// Whether all effects that were not undone are told at the end, in [`Folded::effects`](super::Folded::effects), and not only
    /// those of the last plan. Memory is bounded by their number then.
    pub effects: bool,
    /// On how many threads entries are checked; `None` for as many as the machine runs at once. The verdict and the first
    /// fault do not depend on it. Short runs stay on the caller's thread.
    pub workers: Option<NonZeroUsize>,
}
