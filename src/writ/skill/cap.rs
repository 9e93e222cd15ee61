use serde::{Deserialize, Serialize};

use crate::{
    canon::MAX_INTEGER,
    writ::{Amounts, Dimension},
};

/// The most that may be spent in each dimension that is named. What is not named is not limited, unlike in
/// [`Amounts`]: a cap narrows a budget that a writ grants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cap {
    /// Tokens of models, in and out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Calls of tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<u64>,
    /// Money in thousandths of a US cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd_millicents: Option<u64>,
    /// Summed execution time in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_clock_ms: Option<u64>,
}

impl Cap {
    /// No limit in any dimension.
    pub const NONE: Self = Self { tokens: None, tool_calls: None, usd_millicents: None, wall_clock_ms: None };

    /// The cap in one dimension; none where it is not limited.
    pub fn get(&self, dimension: Dimension) -> Option<u64> {
        match dimension {
            Dimension::Tokens => self.tokens,
            Dimension::ToolCalls => self.tool_calls,
            Dimension::UsdMillicents => self.usd_millicents,
            Dimension::WallClockMs => self.wall_clock_ms,
        }
    }

    /// What is left of it when `spent` is spent, held at zero.
    #[must_use]
    pub fn minus(&self, spent: &Amounts) -> Self {
        let left = |dimension| Some(self.get(dimension)?.saturating_sub(spent.get(dimension)));
        Self {
            tokens: left(Dimension::Tokens),
            tool_calls: left(Dimension::ToolCalls),
            usd_millicents: left(Dimension::UsdMillicents),
            wall_clock_ms: left(Dimension::WallClockMs),
        }
    }

    /// As amounts, with the largest one where it is not limited.
    pub fn most(&self) -> Amounts {
        let most = |dimension| self.get(dimension).unwrap_or(MAX_INTEGER);
        Amounts {
            tokens: most(Dimension::Tokens),
            tool_calls: most(Dimension::ToolCalls),
            usd_millicents: most(Dimension::UsdMillicents),
            wall_clock_ms: most(Dimension::WallClockMs),
        }
    }
}
