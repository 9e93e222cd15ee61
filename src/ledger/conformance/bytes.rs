use std::sync::Arc;

use super::{
    Outcome, ensure,
    sample::{Chain, append, entries, holds, said},
};
use crate::{
    canon::{Blob, EntryId, KeyId, MAX_BLOB_BYTES, MAX_RECORD_BYTES, RecordHash, Salt, StoreId},
    crypto::Signature,
    ledger::{Entry, LedgerStore, Position, StoredBlob},
};

pub(super) async fn bytes_come_back_as_they_went_in(store: Arc<impl LedgerStore>) -> Outcome {
    let present = |bytes: &[u8]| StoredBlob::Present(Blob { salt: Salt([3; 16]), bytes: bytes.into() });
    let every_byte: Vec<u8> = (0..=255).collect();
    type Change<'a> = &'a dyn Fn(&mut Entry);
    let changes: [(&str, Change<'_>); 10] = [
        ("plain", &|_| {}),
        ("with an empty record", &|entry| entry.record = b"".as_slice().into()),
        ("with every byte in its record", &|entry| entry.record = every_byte.as_slice().into()),
        ("with an empty blob", &|entry| entry.blobs = vec![present(b"")]),
        ("with an erased blob", &|entry| entry.blobs = vec![StoredBlob::Erased]),
        ("with blobs of all sorts", &|entry| {
            entry.blobs =
                vec![present(&every_byte), StoredBlob::Erased, present(b""), present(b"x"), StoredBlob::Erased];
        }),
        ("with a hundred blobs", &|entry| entry.blobs = vec![present(b"one of many"); 100]),
        ("with a signature", &|entry| entry.signature = Some(Signature([9; 64]))),
        ("with a signature of zeros and blobs", &|entry| {
            (entry.signature, entry.blobs) = (Some(Signature([0; 64])), vec![present(b"y")]);
        }),
        ("with a header at its limits", &|entry| {
            let header = &mut entry.header;
            (header.kind, header.time_ms, header.base_seq) = (u16::MAX, u64::MAX, u64::MAX);
            (header.store, header.signer) = (StoreId([255; 32]), KeyId([255; 32]));
            (header.authority, header.record) = (EntryId([255; 32]), RecordHash([255; 32]));
        }),
    ];
    let (mut chain, mut stored) = (Chain::new(1), Vec::new());
    for (what, change) in changes {
        let mut entry = chain.peek(b"{}");
        change(&mut entry);
        chain.follow(&entry);
        append(&*store, entries(vec![entry.clone()])).await?;
        let found = store.read(&chain.id(), entry.header.seq, 1).await.map_err(said)?;
        ensure!(found.first() == Some(&entry), "an entry {what} came back as {found:?}");
        let found = store.scan(Position(entry.header.seq), 1).await.map_err(said)?;
        ensure!(found.first().is_some_and(|found| found.1 == entry), "an entry {what} was scanned as {found:?}");
        stored.push(entry);
    }
    holds(&*store, &chain.id(), &stored).await
}

pub(super) async fn large_values_come_back(store: Arc<impl LedgerStore>) -> Outcome {
    let (mut chain, mut stored) = (Chain::new(1), Vec::new());
    let sizes = [1, 4_000, 16_000, 16_100, 16_384, 65_536, MAX_RECORD_BYTES];
    for size in sizes {
        let mut entry = chain.peek(&vec![b'r'; size]);
        let bytes = vec![b'b'; if size == MAX_RECORD_BYTES { MAX_BLOB_BYTES } else { size / 3 }];
        entry.blobs = vec![StoredBlob::Present(Blob { salt: Salt([4; 16]), bytes: bytes.into() })];
        chain.follow(&entry);
        stored.push(entry);
        stored.extend(chain.take(2));
    }
    append(&*store, entries(stored.clone())).await?;
    holds(&*store, &chain.id(), &stored).await
}
