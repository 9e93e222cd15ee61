//! No byte of an export can change unnoticed, and what its signer signs anew still has to follow the rules.
//!
//! An input is an export, or `!`, the index of an entry of the golden export and what replaces its record.

use openthymos::{
    canon::{Bytes, EntryId, to_canonical},
    crypto::Purpose,
    ledger::{Entry, StoredBlob},
    replay::{
        AuthorityLog, Pins, Replayer, Verdict,
        export::{Line, LineEntry, verify},
    },
};

use super::golden;

pub fn run(bytes: &[u8]) {
    if let [b'!', index, record @ ..] = bytes {
        return resealed(usize::from(*index), record);
    }
    let pins = Pins { signer: Some(golden::runtime().public_key()), ..Pins::default() };
    let pinned = verify(bytes, pins, |_, _| {});
    if pinned.is_ok() {
        assert!(bytes == golden::EXPORT.as_bytes(), "another export verifies under the same signer");
    }
    match verify(bytes, Pins::default(), |_, _| {}) {
        Ok((report, folded)) => {
            assert_eq!((report.head, report.world_root), (folded.head, folded.world.root()));
            for line in std::str::from_utf8(bytes).expect("an export is text").lines() {
                let read: Line = serde_json::from_str(line).expect("a line that verified is read");
                assert_eq!(to_canonical(&read).unwrap(), line.as_bytes());
            }
        }
        Err(error) => {
            assert!(pinned.is_err());
            assert!(error.to_string().len() < 4_096, "{error}");
        }
    }
}

/// Replaces the record of one entry, and makes all hashes, links and signatures right again.
fn resealed(index: usize, record: &[u8]) {
    let (mut authority, mut run): (Vec<Entry>, Vec<Entry>) =
        golden::export_entries().into_iter().partition(|entry| entry.header.is_authority());
    let count = authority.len() + run.len();
    let trajectory = run[0].header.trajectory;
    if let Some(entry) = authority.iter_mut().chain(&mut run).nth(index % count) {
        entry.record = Bytes::from(record);
        let named = |blob: &StoredBlob| contains(record, blob.commitment().to_string().as_bytes());
        entry.blobs.retain(named);
        entry.header.blobs = entry.blobs.len() as u32;
    }
    seal(&mut authority);
    seal(&mut run);
    let Ok(log) = AuthorityLog::new(authority) else { return };
    let mut replayer = Replayer::new(&log, trajectory, Pins::default());
    for entry in &run {
        let line = LineEntry::new(entry);
        if let Ok(line) = line {
            assert_eq!(line.into_entry().as_ref(), Ok(entry));
        }
        if let Err(fault) = replayer.push(entry) {
            return assert!(fault.to_string().len() < 4_096, "{fault}");
        }
    }
    if let Ok((report, folded)) = replayer.finish() {
        assert_eq!(report.world_root, folded.world.root());
        assert_eq!(report.verdict() == Verdict::Verified, report.incomplete.is_empty());
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn seal(entries: &mut [Entry]) {
    let mut before: Option<(u64, EntryId, EntryId)> = None;
    for entry in entries {
        entry.header.record = entry.record_hash();
        if let Some((seq, old, new)) = before
            && (entry.header.seq, entry.header.parent) == (seq + 1, old)
        {
            entry.header.parent = new;
        }
        let old = entry.id();
        entry.signature = Some(golden::runtime().sign(Purpose::Entry, old.as_bytes()));
        before = Some((entry.header.seq, old, entry.id()));
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let export = golden::EXPORT.as_bytes();
    let replaced = golden::export_entries().into_iter().enumerate();
    let replaced = replaced.map(|(index, entry)| [&[b'!', index as u8], &*entry.record].concat());
    let start = export.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = golden::EXPORT.lines().nth(1).map_or(0, str::len);
    [export.to_vec(), export[..start].to_vec(), export[..start + lines + 1].to_vec()]
        .into_iter()
        .chain(replaced)
        .collect()
}
