//! Policies written in Rust that most hosts want.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{PolicyDescriptor, PolicyEngine, PolicyError, PolicyInput, arguments::has_argument};
use crate::proposal::Verdict;

/// Denies calls under writs of other tenants than the named ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantIsolation {
    tenants: BTreeSet<String>,
}

impl TenantIsolation {
    /// Serves these tenants and no other.
    pub fn new<T: Into<String>>(tenants: impl IntoIterator<Item = T>) -> Self {
        Self { tenants: tenants.into_iter().map(Into::into).collect() }
    }
}

impl PolicyEngine for TenantIsolation {
    fn descriptor(&self) -> PolicyDescriptor {
        let tenants = self.tenants.iter().map(String::as_str).collect::<Value>();
        PolicyDescriptor { config: tenants.to_string(), name: "tenant_isolation".into(), version: "1".into() }
    }

    fn evaluate(&self, input: &PolicyInput<'_>) -> Result<Verdict, PolicyError> {
        let tenant = &input.writ().tenant;
        if self.tenants.contains(tenant) {
            return Ok(Verdict::Permit);
        }
        Ok(Verdict::Deny { reason: format!("tenant `{tenant}` is not served here") })
    }
}

/// Asks for approval where an argument, an integer, exceeds a limit.
///
/// It judges calls that have the argument, by the tool's schema or in fact. Where such a call leaves it out, or passes
/// something else than an integer, approval is asked for too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendThreshold {
    argument: String,
    limit: i64,
    channel: String,
}

impl SpendThreshold {
    /// Asks on `channel` where `argument` exceeds `limit`.
    pub fn new(argument: impl Into<String>, limit: i64, channel: impl Into<String>) -> Self {
        Self { argument: argument.into(), limit, channel: channel.into() }
    }
}

impl PolicyEngine for SpendThreshold {
    fn descriptor(&self) -> PolicyDescriptor {
        let config = serde_json::json!([self.argument, self.limit, self.channel]);
        PolicyDescriptor { config: config.to_string(), name: "spend_threshold".into(), version: "1".into() }
    }

    fn evaluate(&self, input: &PolicyInput<'_>) -> Result<Verdict, PolicyError> {
        let Self { argument, limit, channel } = self;
        if !has_argument(&input.contract.schema, input.args(), argument) {
            return Ok(Verdict::Permit);
        }
        let reason = match input.args().get(argument).and_then(Value::as_i64) {
            Some(amount) if amount <= *limit => return Ok(Verdict::Permit),
            Some(_) => format!("`{argument}` is above {limit}"),
            None => format!("`{argument}` is not an integer that could be compared with {limit}"),
        };
        Ok(Verdict::RequireApproval { channel: channel.clone(), reason })
    }
}
