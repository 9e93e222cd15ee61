use serde::{Deserialize, Serialize};

/// How many runs may come of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coordination {
    /// How many children one run may start, whether they have ended or not.
    pub children: u64,
    /// How many runs there may be below the one at the top of a lineage.
    pub descendants: u64,
    /// How many generations there may be below it.
    pub generations: u32,
}

impl Default for Coordination {
    /// 16 children of a run, 64 runs and 3 generations in all.
    fn default() -> Self {
        Self { children: 16, descendants: 64, generations: 3 }
    }
}
