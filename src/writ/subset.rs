use super::{Amounts, Audience, Dimension, Scope, WritBody};

/// The dimension in which a child writ exceeds its parent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Excess {
    /// The parent may not be delegated.
    #[error("the parent may not be delegated")]
    NotDelegable,
    /// The child's delegation depth is not below the parent's.
    #[error("delegation depth {child} is not below the parent's {parent}")]
    Depth {
        /// The child's.
        child: u32,
        /// The parent's.
        parent: u32,
    },
    /// Another tenant.
    #[error("tenant `{child}` is not the parent's `{parent}`")]
    Tenant {
        /// The child's.
        child: String,
        /// The parent's.
        parent: String,
    },
    /// A store that the parent does not name.
    #[error("the audience is wider than the parent's")]
    Audience,
    /// A higher effect ceiling.
    #[error("effect ceiling `{child}` is above the parent's `{parent}`")]
    Effect {
        /// The child's.
        child: crate::contract::Effect,
        /// The parent's.
        parent: crate::contract::Effect,
    },
    /// A window that sticks out.
    #[error("the window sticks out of the parent's")]
    Window,
    /// A larger budget.
    #[error("budget of {child} {} is above the parent's {parent}", dimension.as_str())]
    Budget {
        /// Where.
        dimension: Dimension,
        /// The child's.
        child: u64,
        /// The parent's.
        parent: u64,
    },
    /// A scope that no scope of the parent covers.
    #[error("scope `{scope}` is not covered by the parent")]
    Scope {
        /// The scope's pattern.
        scope: String,
    },
}

impl WritBody {
    /// Checks that this writ is no wider than `parent` in any dimension, and that the parent may be delegated.
    ///
    /// Conditions on arguments are not compared: an action needs the conditions of every link of the chain.
    ///
    /// # Errors
    /// The first dimension in which it is wider.
    pub fn is_within(&self, parent: &Self) -> Result<(), Excess> {
        if !parent.delegation.may_subdivide || parent.delegation.depth == 0 {
            return Err(Excess::NotDelegable);
        }
        if self.delegation.depth >= parent.delegation.depth {
            return Err(Excess::Depth { child: self.delegation.depth, parent: parent.delegation.depth });
        }
        if self.tenant != parent.tenant {
            return Err(Excess::Tenant { child: self.tenant.clone(), parent: parent.tenant.clone() });
        }
        if !audience_within(&self.audience, &parent.audience) {
            return Err(Excess::Audience);
        }
        if self.effect_ceiling > parent.effect_ceiling {
            return Err(Excess::Effect { child: self.effect_ceiling, parent: parent.effect_ceiling });
        }
        if self.window.not_before_ms < parent.window.not_before_ms
            || self.window.expires_at_ms > parent.window.expires_at_ms
        {
            return Err(Excess::Window);
        }
        budget_within(&self.budget, &parent.budget)?;
        match self.scopes.iter().find(|scope| !parent.scopes.iter().any(|wide| scope_within(scope, wide))) {
            Some(scope) => Err(Excess::Scope { scope: scope.tool.as_str().to_owned() }),
            None => Ok(()),
        }
    }
}

fn audience_within(child: &Audience, parent: &Audience) -> bool {
    match (child, parent) {
        (_, Audience::Any) => true,
        (Audience::Any, Audience::Stores(_)) => false,
        (Audience::Stores(child), Audience::Stores(parent)) => child.iter().all(|store| parent.contains(store)),
    }
}

fn budget_within(child: &Amounts, parent: &Amounts) -> Result<(), Excess> {
    match child.exceeds(parent) {
        Some(dimension) => {
            Err(Excess::Budget { dimension, child: child.get(dimension), parent: parent.get(dimension) })
        }
        None => Ok(()),
    }
}

fn scope_within(child: &Scope, parent: &Scope) -> bool {
    let pins_within = match (&child.contracts, &parent.contracts) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(child), Some(parent)) => child.iter().all(|contract| parent.contains(contract)),
    };
    pins_within && parent.tool.covers(&child.tool)
}
