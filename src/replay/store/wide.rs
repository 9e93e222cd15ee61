use crate::{
    canon::MAX_INTEGER,
    writ::{Amounts, Dimension},
};

/// A sum of any number of [`Amounts`] that is never held at a largest one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wide([u128; 4]);

impl Wide {
    pub(super) fn plus(self, other: Self) -> Self {
        self.zip(other, u128::saturating_add)
    }

    /// The difference, held at zero.
    pub(super) fn minus(self, other: Self) -> Self {
        self.zip(other, u128::saturating_sub)
    }

    /// The greater of both in each dimension.
    pub(super) fn most(self, other: Self) -> Self {
        self.zip(other, u128::max)
    }

    /// The first dimension in which this exceeds `limit`.
    pub(super) fn exceeds(self, limit: &Amounts) -> Option<Dimension> {
        let sums = Dimension::ALL.into_iter().zip(self.0);
        sums.into_iter()
            .find(|(dimension, sum)| *sum > u128::from(limit.get(*dimension)))
            .map(|(dimension, _)| dimension)
    }

    /// The sum as an amount, held at the largest.
    pub(super) fn amounts(self) -> Amounts {
        let [tokens, tool_calls, usd_millicents, wall_clock_ms] =
            self.0.map(|sum| u64::try_from(sum).unwrap_or(u64::MAX).min(MAX_INTEGER));
        Amounts { tokens, tool_calls, usd_millicents, wall_clock_ms }
    }

    fn zip(self, other: Self, combine: impl Fn(u128, u128) -> u128) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([combine(a, e), combine(b, f), combine(c, g), combine(d, h)])
    }
}

impl From<Amounts> for Wide {
    fn from(amounts: Amounts) -> Self {
        Self(Dimension::ALL.map(|dimension| amounts.get(dimension).into()))
    }
}
