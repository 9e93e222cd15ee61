use super::Predicate;
use crate::canon::LimitError;

/// The deepest nesting that a condition may have.
pub const MAX_CONDITION_DEPTH: usize = 32;
/// The most comparisons, `all`, `any`, `not` and listed values that a condition may have together.
pub const MAX_CONDITION_PARTS: usize = 1_024;
/// The most bytes that a field's name may have.
pub const MAX_FIELD_BYTES: usize = 512;

impl<F> Predicate<F> {
    /// Checks that the condition is no larger than one may be. Returns how many parts it has.
    ///
    /// # Errors
    /// When it is nested deeper than [`MAX_CONDITION_DEPTH`] or has more than [`MAX_CONDITION_PARTS`].
    pub fn check_limits(&self) -> Result<usize, LimitError> {
        let mut parts = 0;
        let mut level: Vec<&Self> = vec![self];
        for depth in 1.. {
            let mut below: Vec<&Self> = Vec::new();
            for part in level {
                parts += 1;
                match part {
                    Self::All(members) | Self::Any(members) => below.extend(members),
                    Self::Not(member) => below.push(member),
                    Self::Leaf(leaf) => parts += leaf.value.as_array().map_or(0, Vec::len),
                }
            }
            LimitError::check("parts of a condition", parts, MAX_CONDITION_PARTS)?;
            if below.is_empty() {
                break;
            }
            LimitError::check("levels of a condition", depth + 1, MAX_CONDITION_DEPTH)?;
            level = below;
        }
        Ok(parts)
    }
}
