use std::sync::Arc;

use super::{
    Outcome, ensure,
    sample::{Chain, append, contents, entries, said},
};
use crate::ledger::{Batch, LedgerStore};

pub(super) async fn a_snapshot_comes_back_as_it_was_kept_or_not_at_all(store: Arc<impl LedgerStore>) -> Outcome {
    let (mut one, mut two) = (Chain::new(1), Chain::new(2));
    append(&*store, entries(one.take(20))).await?;
    append(&*store, entries(two.take(20))).await?;
    let before = (contents(&*store).await?, append(&*store, Batch::default()).await?);
    let large = vec![7; 100_000];
    let kept: [(&Chain, u64, &[u8]); 6] = [
        (&one, 5, b"early"),
        (&one, 9, &large),
        (&two, 7, b"of another"),
        (&one, 12, b""),
        (&one, 5, b"anew"),
        (&two, 0, b"0"),
    ];
    for (chain, seq, bytes) in kept {
        store.keep_snapshot(&chain.id(), seq, bytes.into()).await.map_err(said)?;
    }
    for chain in [&one, &two, &Chain::new(3)] {
        for up_to in [0, 4, 5, 6, 8, 9, 11, 12, 19, 1_000, u64::MAX] {
            let Some((seq, found)) = store.snapshot(&chain.id(), up_to).await.map_err(said)? else { continue };
            // What was kept at a place last is what counts.
            let last = kept.iter().rev().find(|(of, at, _)| (of.id(), *at) == (chain.id(), seq));
            ensure!(seq <= up_to, "a snapshot at seq {seq}, where one up to {up_to} was asked for");
            ensure!(
                last.is_some_and(|(_, _, bytes)| *bytes == &*found),
                "the snapshot of trajectory {} at seq {seq} was never kept, or came back as another",
                chain.id().short()
            );
        }
    }
    let after = (contents(&*store).await?, append(&*store, Batch::default()).await?);
    ensure!(before == after, "keeping snapshots has changed entries, registers or positions");
    Ok(())
}
