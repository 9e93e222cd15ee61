//! What a writ grants, as the command line says it.

use super::{
    budget::{self, Budget},
    failure::{Done, Failure},
    style::plain,
    time::rfc3339,
};
use crate::{
    contract::{ContractSet, Effect},
    writ::{Audience, Scope, ToolPattern, Window, WritBody},
};

/// The scopes, effects and budget of a writ.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Grant {
    /// Tools by name or glob, such as `fs_*,grep`
    #[arg(long, value_name = "GLOBS", value_delimiter = ',')]
    pub(super) scopes: Vec<ToolPattern>,
    /// The greatest effect: read, write, external or irreversible
    #[arg(long, value_name = "EFFECT")]
    pub(super) effects: Option<Effect>,
    /// Limits such as `tool_calls=50,seconds=60,tokens=10000,usd=0.50`
    #[arg(long, value_name = "LIMITS")]
    pub(super) budget: Option<Budget>,
}

impl Grant {
    /// The scopes, by default those of every tool that changes nothing.
    pub(super) fn scopes(&self, contracts: &ContractSet) -> Done<Vec<Scope>> {
        if !self.scopes.is_empty() {
            return Ok(self.scopes.iter().cloned().map(Scope::tools).collect());
        }
        let readers = contracts.iter().filter(|contract| contract.effect == Effect::Read && !contract.is_delegate());
        readers
            .map(|contract| ToolPattern::new(contract.name.as_str()).map(Scope::tools).map_err(Failure::failed))
            .collect()
    }

    pub(super) fn effects(&self) -> Effect {
        self.effects.unwrap_or(Effect::Read)
    }

    pub(super) fn budget(&self) -> crate::writ::Amounts {
        self.budget.unwrap_or_default().over(budget::DEFAULT)
    }
}

/// The scopes of a writ in words.
pub(super) fn scopes(writ: &WritBody) -> String {
    let scope = |scope: &Scope| {
        let mut text = scope.tool.to_string();
        if scope.when.is_some() {
            text += " (with a condition)";
        }
        if scope.contracts.is_some() {
            text += " (pinned)";
        }
        plain(&text)
    };
    match writ.scopes.as_slice() {
        [] => "no tool".into(),
        scopes => scopes.iter().map(scope).collect::<Vec<_>>().join(", "),
    }
}

/// The window of a writ in words.
pub(super) fn window(window: &Window) -> String {
    let from = (window.not_before_ms > 0).then(|| format!("from {}", rfc3339(window.not_before_ms)));
    let until = (window.expires_at_ms < Window::ALWAYS.expires_at_ms)
        .then(|| format!("until {}", rfc3339(window.expires_at_ms)));
    match (from, until) {
        (None, None) => "always".into(),
        (from, until) => from.into_iter().chain(until).collect::<Vec<_>>().join(" "),
    }
}

/// The audience of a writ in words.
pub(super) fn audience(audience: &Audience) -> String {
    match audience {
        Audience::Any => "any store".into(),
        Audience::Stores(stores) if stores.is_empty() => "no store".into(),
        Audience::Stores(stores) => {
            stores.iter().map(|store| format!("store {}", store.short())).collect::<Vec<_>>().join(", ")
        }
    }
}
