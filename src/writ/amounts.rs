use serde::{Deserialize, Serialize};

use crate::canon::MAX_INTEGER;

/// A quantity in each dimension that a budget limits: what is granted, left, asked or spent.
///
/// Zero dimensions are left out of the JSON form. No amount exceeds 2^53 − 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Amounts {
    /// Tokens of models, in and out.
    #[serde(skip_serializing_if = "zero")]
    pub tokens: u64,
    /// Calls of tools.
    #[serde(skip_serializing_if = "zero")]
    pub tool_calls: u64,
    /// Money in thousandths of a US cent: 1 USD is 100,000.
    #[serde(skip_serializing_if = "zero")]
    pub usd_millicents: u64,
    /// Summed execution time in milliseconds.
    #[serde(skip_serializing_if = "zero")]
    pub wall_clock_ms: u64,
}

fn zero(amount: &u64) -> bool {
    *amount == 0
}

/// One dimension of [`Amounts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Tokens.
    Tokens,
    /// Tool calls.
    ToolCalls,
    /// Thousandths of a US cent.
    UsdMillicents,
    /// Milliseconds of execution.
    WallClockMs,
}

impl Dimension {
    /// Every dimension, in the order in which budgets are checked.
    pub const ALL: [Self; 4] = [Self::Tokens, Self::ToolCalls, Self::UsdMillicents, Self::WallClockMs];

    /// The dimension's name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::ToolCalls => "tool_calls",
            Self::UsdMillicents => "usd_millicents",
            Self::WallClockMs => "wall_clock_ms",
        }
    }
}

impl Amounts {
    /// Nothing.
    pub const ZERO: Self = Self { tokens: 0, tool_calls: 0, usd_millicents: 0, wall_clock_ms: 0 };
    /// One tool call, and nothing else.
    pub const ONE_CALL: Self = Self { tool_calls: 1, ..Self::ZERO };
    /// The most that a budget can grant.
    pub const MAX: Self =
        Self { tokens: MAX_INTEGER, tool_calls: MAX_INTEGER, usd_millicents: MAX_INTEGER, wall_clock_ms: MAX_INTEGER };

    /// The amount in one dimension.
    pub fn get(&self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Tokens => self.tokens,
            Dimension::ToolCalls => self.tool_calls,
            Dimension::UsdMillicents => self.usd_millicents,
            Dimension::WallClockMs => self.wall_clock_ms,
        }
    }

    /// The first dimension in which this exceeds `limit`.
    pub fn exceeds(&self, limit: &Self) -> Option<Dimension> {
        Dimension::ALL.into_iter().find(|dimension| self.get(*dimension) > limit.get(*dimension))
    }

    /// The sum, held at the largest amount.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a.saturating_add(b).min(MAX_INTEGER))
    }

    /// The difference, held at zero.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    /// The calls alone: what a call costs of which nothing came.
    #[must_use]
    pub fn calls(&self) -> Self {
        Self { tool_calls: self.tool_calls, ..Self::ZERO }
    }

    /// The lesser of both in each dimension.
    #[must_use]
    pub fn least(&self, other: &Self) -> Self {
        self.zip(other, u64::min)
    }

    fn zip(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            tokens: combine(self.tokens, other.tokens),
            tool_calls: combine(self.tool_calls, other.tool_calls),
            usd_millicents: combine(self.usd_millicents, other.usd_millicents),
            wall_clock_ms: combine(self.wall_clock_ms, other.wall_clock_ms),
        }
    }
}
