use std::io::{BufRead, Read};

use super::{EXPORT_FORMAT, ExportStart, Line, SignedHead};
use crate::{
    canon::{
        DomainStream, LimitError, MAX_ENTRY_BLOB_BYTES, MAX_ENTRY_BLOBS, MAX_RECORD_BYTES, StatementHash, domain,
        misshapen, with_canonical,
    },
    crypto::Purpose,
    ledger::Entry,
    replay::{AuthorityLog, Folded, Pins, ReplayError, Replayer, Report},
};

/// The most bytes that a line of an export may have, its end included: an entry of the largest size. Sealed JSON has no
/// characters that a string escapes to more than two bytes.
pub const MAX_LINE_BYTES: usize = 2 * (MAX_ENTRY_BLOB_BYTES + MAX_RECORD_BYTES) + 64 * MAX_ENTRY_BLOBS + (1 << 16);
/// The most authority entries that an export may have: they are kept while the run is read.
pub const MAX_AUTHORITY_ENTRIES: usize = 1 << 16;
/// How many entries of the run are checked at a time, at most.
const PAGE: usize = 512;
/// With so many bytes there are enough.
const PAGE_BYTES: usize = 1 << 22;
/// The most bytes that the authority entries of an export may have together.
pub const MAX_AUTHORITY_BYTES: usize = 256 << 20;

/// Verifies an export and folds its run. It needs nothing but the file.
///
/// `visit` sees every entry of the run after it was checked.
///
/// # Errors
/// The first line or entry that does not hold, a file that is cut short, or a pin that does not hold.
pub fn verify(
    reader: impl BufRead,
    pins: Pins,
    visit: impl FnMut(&Entry, &Replayer<'_>),
) -> Result<(Report, Folded), ReplayError> {
    verify_by(reader, pins, |_| Ok(()), visit)
}

/// As [`verify`]; `begin` sees the replayer before the first entry.
pub(in crate::replay) fn verify_by(
    reader: impl BufRead,
    pins: Pins,
    begin: impl FnOnce(&mut Replayer<'_>) -> Result<(), ReplayError>,
    mut visit: impl FnMut(&Entry, &Replayer<'_>),
) -> Result<(Report, Folded), ReplayError> {
    let mut lines = Lines { reader, number: 0, last: None, digest: domain::EXPORT.stream() };
    let start = match lines.next()? {
        Some(Line::Export(start)) if start.format == EXPORT_FORMAT => start,
        Some(Line::Export(start)) => {
            return Err(lines.fault(format!("export format {}, and this build reads {EXPORT_FORMAT}", start.format)));
        }
        Some(_) => return Err(lines.fault("expected the line that says what is exported")),
        None => return Err(ReplayError::Empty),
    };
    let (mut authority, mut bytes) = (Vec::new(), 0);
    let next = loop {
        match lines.entry()? {
            Next::Entry(entry) if entry.header.is_authority() => {
                let last: Option<&Entry> = authority.last();
                if let Some(before) = last.map(|last| last.header.seq).filter(|seq| *seq >= entry.header.seq) {
                    return Err(lines.fault(format!("authority entry {} stands behind {before}", entry.header.seq)));
                }
                bytes += entry.bytes();
                LimitError::check("authority entries", authority.len() + 1, MAX_AUTHORITY_ENTRIES)
                    .and_then(|()| LimitError::check("bytes of authority entries", bytes, MAX_AUTHORITY_BYTES))
                    .map_err(|error| lines.fault(error.to_string()))?;
                authority.push(*entry);
            }
            next => break next,
        }
    };
    let log = AuthorityLog::new(authority)?;
    if log.store() != start.store {
        return Err(lines.fault(format!("the authority entries are of store {}", log.store())));
    }
    let signer = pins.signer;
    let mut replayer = Replayer::new(&log, start.trajectory, pins);
    begin(&mut replayer)?;
    let mut ahead = replayer.ahead();
    let mut next = Ok(next);
    let (mut page, mut bytes) = (Vec::new(), 0);
    let (head, digest) = loop {
        let end = match next {
            Ok(Next::Entry(entry)) => {
                bytes += entry.bytes();
                page.push(*entry);
                None
            }
            end => Some(end),
        };
        // What stands before the end, or before a line that cannot be read, is checked first.
        if end.is_some() || page.len() == PAGE || bytes > PAGE_BYTES {
            let leave = if end.is_some() { 0 } else { page.len() };
            ahead.give(page);
            replayer.judge(&mut ahead, leave, &mut visit)?;
            (page, bytes) = (Vec::new(), 0);
        }
        match end {
            Some(Ok(Next::Head(head, digest))) => break (head, digest),
            Some(Err(error)) => return Err(error),
            _ => next = lines.entry(),
        }
    };
    replayer.invalid(head.statement.invalid.clone());
    let (report, folded) = replayer.finish()?;
    check_head(&head, digest, &start, &log, &report)?;
    match (signer, head.signer) {
        (Some(pinned), Some(found)) if pinned == found => {}
        (None, _) => {}
        (Some(pinned), found) => {
            let found = found.map_or("nobody".into(), |key| key.to_string());
            return Err(ReplayError::Pin { what: "the signer of the head", found, required: pinned.to_string() });
        }
    }
    match lines.next()? {
        None => Ok((report, folded)),
        Some(_) => Err(lines.fault("nothing may follow the head")),
    }
}

fn check_head(
    head: &SignedHead,
    digest: StatementHash,
    start: &ExportStart,
    log: &AuthorityLog,
    report: &Report,
) -> Result<(), ReplayError> {
    let statement = &head.statement;
    let fault = |reason: &str| Err(ReplayError::Head(reason.into()));
    if (statement.store, statement.trajectory) != (start.store, start.trajectory) {
        return fault("the head is of another run");
    }
    if (statement.length, statement.head) != (report.entries, report.head) {
        return Err(ReplayError::Head(format!(
            "the head says {} entries ending in {}, found {} ending in {}",
            statement.length,
            statement.head.short(),
            report.entries,
            report.head.short()
        )));
    }
    let compromised = log.state().compromised.iter().map(|known| known.key);
    if !compromised.eq(statement.invalid.iter().map(|invalid| invalid.key)) {
        return fault("the head does not say from where on each compromised key is invalid");
    }
    if statement.digest != digest {
        return fault("the bytes before the head are not those that were signed");
    }
    match (log.state().runtime_key(), head.signer, head.signature) {
        (None, None, None) => Ok(()),
        (Some(runtime), Some(signer), Some(signature)) if runtime.key == signer => {
            let hash = statement.hash().map_err(|error| ReplayError::Head(error.to_string()))?;
            let verified = signer.verify(Purpose::ExportHead, hash.as_bytes(), &signature);
            verified.map_err(|error| ReplayError::Head(error.to_string()))
        }
        _ => fault("the head is not signed by the runtime's key"),
    }
}

enum Next {
    Entry(Box<Entry>),
    Head(Box<SignedHead>, StatementHash),
}

/// The lines of a file, with the hash of all that came before.
struct Lines<R> {
    reader: R,
    number: usize,
    /// The last entry: whether it was one of the authority trajectory, and its seq.
    last: Option<(bool, u64)>,
    digest: DomainStream,
}

impl<R: BufRead> Lines<R> {
    fn fault(&self, reason: impl Into<String>) -> ReplayError {
        ReplayError::Line { line: self.number, place: self.place(), reason: reason.into() }
    }

    /// Names the entry that belongs on this line.
    fn place(&self) -> String {
        match self.last {
            None => String::new(),
            Some((true, seq)) => format!(", after authority entry {seq}"),
            Some((false, seq)) => format!(", where entry {} of the run or the head belongs", seq.saturating_add(1)),
        }
    }

    fn entry(&mut self) -> Result<Next, ReplayError> {
        let before = std::mem::replace(&mut self.digest, domain::EXPORT.stream());
        self.digest = before.clone();
        match self.next()? {
            Some(Line::Entry(entry)) => {
                let entry = entry.into_entry().map_err(|error| self.fault(error.to_string()))?;
                self.last = Some((entry.header.is_authority(), entry.header.seq));
                Ok(Next::Entry(Box::new(entry)))
            }
            Some(Line::Head(head)) => Ok(Next::Head(head, StatementHash(before.finish()))),
            Some(Line::Export(_)) => Err(self.fault("a second export in one file")),
            None => Err(ReplayError::Head(format!("it ends after line {} and has no head", self.number))),
        }
    }

    /// Reads a line. Every line is in the one form that it is written in, so that each of its bytes counts.
    fn next(&mut self) -> Result<Option<Line>, ReplayError> {
        let mut bytes = Vec::new();
        (&mut self.reader).take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let Some((b'\n', text)) = bytes.split_last() else {
            let long = bytes.len() == MAX_LINE_BYTES;
            return Err(self.fault(if long {
                format!("the line has more than {MAX_LINE_BYTES} bytes")
            } else {
                "the line does not end: the file is cut short".into()
            }));
        };
        // Read as what it has to be, so that no line costs more memory than its bytes.
        let line: Line = serde_json::from_slice(text).map_err(|error| self.fault(misshapen(&error)))?;
        if with_canonical(&line, |form| form == text) != Ok(true) {
            return Err(self.fault("the line is not in canonical form"));
        }
        self.digest.update(&bytes);
        Ok(Some(line))
    }
}
