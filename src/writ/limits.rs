//! How large a writ may be: judged before signatures, links and patterns are.

use serde_json::Value;

use super::{Audience, WritBody};
use crate::{canon::LimitError, crypto::NamedKey, predicate::MAX_CONDITION_PARTS};

/// The most writs that a chain may have.
pub const MAX_CHAIN_LINKS: usize = 16;
/// The most scopes that a writ may have.
pub const MAX_SCOPES: usize = 128;
/// The most stores that a writ may name.
pub const MAX_STORES: usize = 256;
/// The most contracts that all scopes of a writ may pin together.
pub const MAX_PINS: usize = 256;
/// The most bytes that a tenant, or the name of a key in a writ, may have.
pub const MAX_NAME_BYTES: usize = 256;

impl WritBody {
    /// Checks that the writ is no larger than one may be.
    ///
    /// # Errors
    /// The first part that there is too much of.
    pub fn check_limits(&self) -> Result<(), LimitError> {
        LimitError::check("scopes", self.scopes.len(), MAX_SCOPES)?;
        if let Audience::Stores(stores) = &self.audience {
            LimitError::check("stores", stores.len(), MAX_STORES)?;
        }
        let pins = self.scopes.iter().filter_map(|scope| scope.contracts.as_ref()).map(Vec::len).sum();
        LimitError::check("pinned contracts", pins, MAX_PINS)?;
        LimitError::check("bytes in the tenant's name", self.tenant.len(), MAX_NAME_BYTES)?;
        for NamedKey { name, .. } in [&self.issuer, &self.subject] {
            LimitError::check("bytes in a key's name", name.len(), MAX_NAME_BYTES)?;
        }
        let conditions = self.scopes.iter().filter_map(|scope| scope.when.as_ref());
        let mut parts = 0;
        for condition in conditions {
            parts += condition.check_limits()?;
        }
        LimitError::check("parts of conditions", parts, MAX_CONDITION_PARTS)
    }
}

/// Checks the lists of a writ that is still JSON, of whatever shape: reading it costs more than its bytes.
pub(super) fn check_lists(writ: &Value) -> Result<(), LimitError> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).map_or(0, Vec::len);
    LimitError::check("scopes", list(writ.get("scopes")), MAX_SCOPES)?;
    LimitError::check("stores", list(writ.get("audience")), MAX_STORES)?;
    let scopes = writ.get("scopes").and_then(Value::as_array).into_iter().flatten();
    LimitError::check("pinned contracts", scopes.map(|scope| list(scope.get("contracts"))).sum(), MAX_PINS)
}
