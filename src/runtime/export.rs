use std::io::Write;

use crate::{
    canon::{DomainStream, StatementHash, TrajectoryId, domain, to_canonical},
    crypto::{PublicKey, Purpose},
    host::Signer,
    ledger::{Entry, LedgerStore},
    replay::{
        PageSize, ReplayError, closure,
        export::{EXPORT_FORMAT, ExportStart, HeadStatement, Line, LineEntry, SignedHead},
        invalid_from,
    },
};

/// Why an export was not completed. What was written is of no use then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The run or its authority does not hold, or the ledger failed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The file could not be written.
    #[error("writing the export: {0}")]
    Write(#[from] std::io::Error),
    /// A stored entry cannot be put into a line.
    #[error("a stored entry is not text: {0}")]
    Text(#[from] std::string::FromUtf8Error),
    /// A line cannot be sealed.
    #[error(transparent)]
    Seal(#[from] crate::canon::CanonError),
    /// The key that is to sign the head is not the one that signs the ledger now.
    #[error("the ledger's entries are signed by {ledger}, and {given} was given to sign the head")]
    WrongKey {
        /// The ledger's key.
        ledger: String,
        /// The key that was given.
        given: String,
    },
    /// The head could not be signed.
    #[error(transparent)]
    Sign(#[from] crate::host::SignError),
}

/// Writes a run, with the authority entries that it refers to and a signed head, as NDJSON. Returns the head.
///
/// `signer` is the runtime's key; none for a ledger that is run unsigned. See [`crate::replay::export`] for the format.
///
/// # Errors
/// When there is no such run, the ledger or the output fails, or the key cannot sign.
pub async fn export(
    store: &dyn LedgerStore,
    run: &TrajectoryId,
    signer: Option<&dyn Signer>,
    as_of_ms: u64,
    out: &mut (dyn Write + Send),
) -> Result<HeadStatement, ExportError> {
    let log = closure(store, run).await?;
    let (wanted, given) = (log.state().runtime_key().map(|named| named.key), signer.map(Signer::public_key));
    if wanted != given {
        let text = |key: Option<PublicKey>| key.map_or("no key".into(), |key| key.to_string());
        return Err(ExportError::WrongKey { ledger: text(wanted), given: text(given) });
    }
    let mut lines = Lines { out, digest: domain::EXPORT.stream() };
    let start = ExportStart { format: EXPORT_FORMAT, store: log.store(), trajectory: *run };
    lines.write(&Line::Export(start))?;
    for entry in log.entries() {
        lines.write(&Line::Entry(LineEntry::new(entry)?))?;
    }
    let (mut length, mut head, mut size) = (0, None, PageSize::new());
    loop {
        let page: Vec<Entry> = store.read(run, length, size.get()).await.map_err(ReplayError::from)?;
        for entry in &page {
            lines.write(&Line::Entry(LineEntry::new(entry)?))?;
        }
        length += page.len() as u64;
        head = page.last().map(Entry::id).or(head);
        if size.read(page.iter().map(Entry::bytes)) {
            break;
        }
    }
    let head = head.ok_or(ReplayError::NoRun(*run))?;
    let digest = StatementHash(lines.digest.finish());
    let invalid = invalid_from(store, run, &log).await?;
    let statement = HeadStatement { as_of_ms, digest, head, invalid, length, store: log.store(), trajectory: *run };
    let signature = match signer {
        Some(signer) => Some(signer.sign(Purpose::ExportHead, statement.hash()?.as_bytes()).await?),
        None => None,
    };
    let signer = signer.map(Signer::public_key);
    lines.write(&Line::Head(Box::new(SignedHead { signature, signer, statement: statement.clone() })))?;
    lines.out.flush()?;
    Ok(statement)
}

struct Lines<'a> {
    out: &'a mut (dyn Write + Send),
    digest: DomainStream,
}

impl Lines<'_> {
    fn write(&mut self, line: &Line) -> Result<(), ExportError> {
        let mut bytes = to_canonical(line)?;
        bytes.push(b'\n');
        self.digest.update(&bytes);
        Ok(self.out.write_all(&bytes)?)
    }
}
