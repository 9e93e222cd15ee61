use serde::{Deserialize, Serialize};

use crate::canon::{cut, words};

/// The stages of a compile, in the order in which they are passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// The kind of intent is one that can be compiled.
    IntentKind,
    /// The writ chain leads to a trusted root.
    Chain,
    /// Every writ is meant for this store, and all are of one tenant.
    Audience,
    /// No writ of the chain is revoked.
    Revocation,
    /// The time is within every window.
    Window,
    /// Every writ has a scope for the tool, at a contract it allows.
    Scope,
    /// The tool is registered.
    Registry,
    /// The tool's effect is within every ceiling.
    Effect,
    /// Every writ has enough left.
    Budget,
    /// The arguments match the tool's schema.
    Schema,
    /// The arguments meet the scopes' conditions.
    Conditions,
    /// The tool's preconditions hold.
    Preconditions,
    /// What was read at the first compile is unchanged.
    Reads,
    /// What is delegated is within what the run may delegate.
    Delegation,
    /// No policy denies it.
    Policy,
    /// The risk class is below the gate, or it is approved.
    RiskGate,
    /// It can be undone, or it is approved.
    CompensationGate,
    /// It has the approvals that it needs.
    Approvals,
}
words!(Stage, "stage", {
    IntentKind = "intent_kind", Chain = "chain", Audience = "audience", Revocation = "revocation", Window = "window",
    Scope = "scope", Registry = "registry", Effect = "effect", Budget = "budget", Schema = "schema",
    Conditions = "conditions", Preconditions = "preconditions", Reads = "reads", Delegation = "delegation", Policy = "policy",
    RiskGate = "risk_gate", CompensationGate = "compensation_gate", Approvals = "approvals",
});

/// Why a stage refused: a code that means the same in every release. Codes of operations that are yet to come are part of
/// the format already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// A kind of intent for which nothing is registered.
    UnsupportedKind,
    /// A query whose tool has an effect.
    QueryWithEffect,
    /// The chain's root is not issued by a trusted writ issuer.
    UntrustedRoot,
    /// The chain itself does not hold.
    InvalidChain,
    /// A start is not signed by the writ's subject.
    WrongSubject,
    /// A writ is not meant for this store.
    WrongAudience,
    /// A writ is of another tenant.
    WrongTenant,
    /// A writ of the chain is revoked.
    Revoked,
    /// The window has not begun.
    NotYetValid,
    /// The window is over.
    Expired,
    /// No scope covers the tool.
    OutOfScope,
    /// The tool's contract is not one that the scope pins.
    ContractNotPinned,
    /// No tool of that name is registered.
    UnknownTool,
    /// The effect is above the ceiling.
    EffectAboveCeiling,
    /// A dimension of the budget does not suffice.
    BudgetExceeded,
    /// The arguments break the schema.
    SchemaViolation,
    /// The arguments do not have the tool's types.
    ArgumentsMalformed,
    /// No scope's condition holds.
    ConditionNotMet,
    /// A precondition does not hold.
    PreconditionFailed,
    /// The tool could not be asked, or panicked when it was.
    QuoteUnavailable,
    /// A secret that the arguments name cannot be had, or a placeholder in them stands for none of this intent's.
    SecretUnavailable,
    /// The tool's contract has changed since approval was asked for.
    ContractChanged,
    /// The policy set has changed since approval was asked for.
    PolicyChanged,
    /// A resource has changed since the first compile.
    ReadChanged,
    /// The host state has changed since the first compile.
    ProbeChanged,
    /// The writ may not be delegated.
    NotDelegable,
    /// The child would be granted more than its parent has.
    ChildExceedsParent,
    /// There would be too many children, descendants or generations.
    TooManyRuns,
    /// The key of the writ's subject, which signs the child's writ, is not at hand.
    SubjectKeyUnavailable,
    /// A policy denies it.
    PolicyDenied,
    /// A policy failed, which denies.
    PolicyFailed,
    /// An approver denied it.
    ApprovalDenied,
    /// Approval is needed, and no roster has the channel.
    UnknownChannel,
    /// A branch touches the host, or hands work down.
    NotInBranch,
    /// The clock is too far behind for an effect.
    ClockBehind,
    /// The same tool and arguments were denied before in this run.
    DeniedBefore,
    /// A call with the same business key is in doubt, or under way.
    InDoubt,
    /// A call with the same business key was done before.
    AlreadyDone,
    /// The kernel could not carry out the stage.
    Internal,
}

impl Code {
    /// The code as JSON writes it.
    pub fn as_str(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(code)) => code,
            _ => String::new(),
        }
    }
}

/// A typed refusal: which stage, which code, what was asked and what was allowed. It holds no argument values. A text is
/// cut where it has more than [`MAX_REFUSAL_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What would have been allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// What was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Why.
    pub code: Code,
    /// Where: a JSON pointer into the arguments, a budget's dimension, a link of the chain, an entry as trajectory/seq, a bound
    /// skill as `skill:name@version`, with `/` and the dimension behind it for a budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Which stage.
    pub stage: Stage,
}

impl Refusal {
    /// A refusal at a stage.
    pub fn new(stage: Stage, code: Code) -> Self {
        Self { allowed: None, asked: None, code, pointer: None, stage }
    }

    /// Says what was asked.
    #[must_use]
    pub fn asked(mut self, asked: impl ToString) -> Self {
        self.asked = Some(cut(asked.to_string(), MAX_REFUSAL_BYTES));
        self
    }

    /// Says what would have been allowed.
    #[must_use]
    pub fn allowed(mut self, allowed: impl ToString) -> Self {
        self.allowed = Some(cut(allowed.to_string(), MAX_REFUSAL_BYTES));
        self
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, pointer: impl ToString) -> Self {
        self.pointer = Some(cut(pointer.to_string(), MAX_REFUSAL_BYTES));
        self
    }

    /// Says that a skill refuses what the writs grant.
    #[must_use]
    pub fn at_skill(self, skill: impl std::fmt::Display) -> Self {
        self.at(format_args!("{SKILL}{skill}"))
    }

    /// The skill that refuses what the writs grant, where one does.
    pub fn skill(&self) -> Option<&str> {
        self.pointer.as_deref()?.strip_prefix(SKILL)?.split('/').next()
    }
}

/// What the pointer to a skill begins with.
const SKILL: &str = "skill:";

/// The most bytes of a text in a refusal: it may name what a caller chose, and has to fit a record.
pub const MAX_REFUSAL_BYTES: usize = 1_024;

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.stage, self.code.as_str())?;
        if let Some(pointer) = &self.pointer {
            write!(f, " at {pointer}")?;
        }
        if let Some(asked) = &self.asked {
            write!(f, ", asked {asked}")?;
        }
        if let Some(allowed) = &self.allowed {
            write!(f, ", allowed {allowed}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
