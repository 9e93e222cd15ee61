use std::time::Duration;

use serde_json::Value;

use super::guard::{Guarded, guard, guard_sync};
use crate::{
    canon::{BusinessKeyHash, FileHash, LimitError, StoreId, cut, domain},
    contract::{ArgumentFault, Effect, SealedContract},
    host::Host,
    intent::masked,
    proposal::{MAX_REFUSAL_BYTES, PreconditionFault, Quote, Read},
    redact::Redactor,
    tool::{Reads, ToolContract},
    world::{ResourceId, World},
    writ::Amounts,
};

/// The longest that a tool may take to say what it would do.
const PROBE_DEADLINE: Duration = Duration::from_secs(10);

/// The most resources that a call may read: each is named in the record of its decision.
pub const MAX_READS: usize = 512;
/// The most bytes that the names of the resources that a call reads may have together.
pub const MAX_READ_BYTES: usize = 128 << 10;
/// The most bytes of a text in a quote, such as a precondition's code; [`fit_to_record`] cuts it there.
pub const MAX_QUOTE_TEXT: usize = 256;

/// A tool that could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tool `{tool}` could not say what it would do: {reason}")]
pub struct QuoteError {
    /// The tool.
    pub tool: String,
    /// Why.
    pub reason: String,
}

/// Asks a tool what a call would cost, read and need. The intent must have been admitted: this runs the tool's code. Its
/// texts are the tool's own: [`fit_to_record`] is what makes them fit to be decided upon.
///
/// `time_left_ms` is what the writ chain has left of execution time; the call gets at most that.
///
/// # Errors
/// When the tool panics, or its probe fails or takes too long.
pub async fn quote(
    tool: &dyn ToolContract,
    contract: &SealedContract,
    args: &Value,
    world: &World,
    time_left_ms: u64,
    store: &StoreId,
    host: &Host,
) -> Result<Quote, QuoteError> {
    let error = |reason: String| QuoteError { tool: contract.name.to_string(), reason };
    if let Err(fault) = guard_sync(|| tool.check_arguments(args)).map_err(error)? {
        return Ok(Quote { arguments: Some(fault), cost: Amounts::ONE_CALL, ..Quote::default() });
    }
    let asked = async { tool.probe(args, &host.spawn).await };
    let probe = match guard(asked, PROBE_DEADLINE, None, &*host.timer).await {
        Guarded::Returned(probe) => probe.map_err(|failed| error(failed.to_string()))?,
        Guarded::Panicked(panic) => return Err(error(panic)),
        Guarded::TimedOut | Guarded::Cancelled => return Err(error("it took too long".into())),
    };
    // What changes nothing can be done as often as one likes.
    let keyed = contract.effect > Effect::Read;
    let asked = guard_sync(|| {
        let wanted = tool.reads(args);
        let bytes = wanted.iter().map(|id| id.kind().len() + id.id().len()).sum();
        LimitError::check("resources to read", wanted.len(), MAX_READS)
            .and_then(|()| LimitError::check("bytes in names of resources to read", bytes, MAX_READ_BYTES))
            .map_err(|error| error.to_string())?;
        let reads = gather(&wanted, world);
        let deadline_ms = u64::try_from(tool.deadline().as_millis()).unwrap_or(u64::MAX);
        // No balance holds more than the largest amount, and no record can say more.
        let cost = at_least_a_call(tool.cost(args).least(&Amounts::MAX));
        Ok(Quote {
            child: None,
            arguments: None,
            compensable: contract.compensable && probe.compensable && tool.compensable(args, &reads.1),
            cost: Amounts { wall_clock_ms: deadline_ms.min(time_left_ms).max(1), ..cost },
            key: keyed.then(|| tool.idempotency_key(args)).flatten().map(|key| business_key(store, contract, &key)),
            precondition: tool.precondition(args, &reads.1).err(),
            probe: probe.version,
            reads: reads.0,
            secret: None,
        })
    });
    asked.and_then(|asked| asked).map_err(error)
}

/// Hides secrets in what a tool said, and then cuts it to what a record holds: a part of a secret is not known as one.
pub fn fit_to_record(redactor: &Redactor, mut quote: Quote) -> Quote {
    let fit = |text: &str, limit: usize| cut(redactor.text(text).0.into_owned(), limit);
    if let Some(ArgumentFault { keyword, pointer }) = &mut quote.arguments {
        *keyword = fit(keyword, MAX_QUOTE_TEXT);
        *pointer = fit(pointer, MAX_REFUSAL_BYTES);
    }
    if let Some(PreconditionFault { code }) = &mut quote.precondition {
        *code = fit(code, MAX_QUOTE_TEXT);
    }
    quote
}

/// Asks a tool whether an effect in doubt happened. A tool that panics, or takes more than ten seconds, does not know.
pub async fn reconcile(tool: &dyn ToolContract, args: &Value, probe: Option<FileHash>, host: &Host) -> Option<bool> {
    // The tool sees what it saw before: names in place of secrets.
    let masked = masked(args).ok()?;
    let args = masked.as_ref().unwrap_or(args);
    let asked = async { tool.reconcile(args, probe, &host.spawn).await };
    match guard(asked, PROBE_DEADLINE, None, &*host.timer).await {
        Guarded::Returned(known) => known,
        Guarded::Panicked(_) | Guarded::TimedOut | Guarded::Cancelled => None,
    }
}

/// A call is a call, whatever a tool says of its cost.
pub(super) fn at_least_a_call(cost: Amounts) -> Amounts {
    Amounts { tool_calls: cost.tool_calls.max(1), ..cost }
}

/// The same key of the same tool gives the same hash in every run of a store.
fn business_key(store: &StoreId, contract: &SealedContract, key: &str) -> BusinessKeyHash {
    let name = contract.name.as_str().as_bytes();
    BusinessKeyHash(domain::BUSINESS_KEY.hash(&[store.as_bytes(), name, &[0], key.as_bytes()]))
}

/// What a tool asked to see: for the record, and for the tool.
pub(super) fn gather(ids: &[ResourceId], world: &World) -> (Vec<Read>, Reads) {
    let (mut record, mut reads) = (Vec::with_capacity(ids.len()), Reads::default());
    for id in ids {
        let found = world.get(id);
        let version = found.map_or(0, |resource| resource.version);
        record.push(Read { resource: id.clone(), value: found.map(|resource| resource.commitment), version });
        reads.insert(id, version, found.and_then(|resource| resource.value.clone()));
    }
    (record, reads)
}
