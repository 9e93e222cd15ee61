use std::sync::Arc;

use serde_json::Value;

use crate::{
    canon::ProposalId,
    compile::Child,
    contract::SealedContract,
    intent::SealedIntent,
    proposal::{Proposal, Quote},
};

/// A proposal that may be carried out. Only a compile makes one, and `execute` uses it up.
///
/// It cannot be built, copied or read from bytes:
///
/// ```compile_fail
/// fn forge() -> openthymos::compile::Staged {
///     openthymos::compile::Staged { proposal: todo!() }
/// }
/// ```
///
/// ```compile_fail
/// fn twice(staged: openthymos::compile::Staged) -> (openthymos::compile::Staged, openthymos::compile::Staged) {
///     (staged.clone(), staged)
/// }
/// ```
///
/// ```compile_fail
/// fn read(bytes: &[u8]) -> openthymos::compile::Staged {
///     serde_json::from_slice(bytes).unwrap()
/// }
/// ```
#[derive(Debug)]
pub struct Staged {
    proposal: Arc<Proposal>,
    id: ProposalId,
    intent: SealedIntent,
    contract: SealedContract,
    child: Option<Box<Child>>,
}

impl Staged {
    // INVARIANT: called only by `Admitted::decide`, and only for a decision whose status is `Staged`.
    pub(super) fn new(
        proposal: Arc<Proposal>,
        id: ProposalId,
        intent: &SealedIntent,
        contract: SealedContract,
        child: Option<Box<Child>>,
    ) -> Self {
        Self { proposal, id, intent: intent.clone(), contract, child }
    }

    /// The proposal.
    pub fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// The proposal, to be recorded.
    pub(crate) fn shared(&self) -> Arc<Proposal> {
        Arc::clone(&self.proposal)
    }

    /// The proposal's id.
    pub fn id(&self) -> ProposalId {
        self.id
    }

    /// What was asked.
    pub fn intent(&self) -> &SealedIntent {
        &self.intent
    }

    /// The arguments.
    pub fn args(&self) -> &Value {
        self.intent.args()
    }

    /// The arguments as the tool's hooks see them: see [`SealedIntent::masked_args`].
    pub fn masked_args(&self) -> &Value {
        // What has malformed handles is not staged.
        self.intent.masked_args().unwrap_or(&Value::Null)
    }

    /// The contract that it was decided under.
    pub fn contract(&self) -> &SealedContract {
        &self.contract
    }

    /// The child that is to be started, where it is a delegation.
    pub fn child(&self) -> Option<&Child> {
        self.child.as_deref()
    }

    /// What the tool said before.
    #[expect(clippy::expect_used, reason = "a staged decision has a quote")]
    pub fn quote(&self) -> &Quote {
        self.proposal.decision.quote.as_ref().expect("a staged decision has a quote")
    }

    /// Gives up the proposal, to be recorded.
    pub fn into_proposal(self) -> Arc<Proposal> {
        self.proposal
    }
}
