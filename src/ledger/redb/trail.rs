use super::{codec::array, error::damaged, tables::ChunkKey};
use crate::{
    canon::{EntryId, TrajectoryId},
    ledger::{Head, Position, StoreError},
};

/// How many positions a chunk of the index holds.
pub(super) const CHUNK: u64 = 32;

/// The head of a trajectory, and where the entries are that fill no chunk of the index yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trail {
    pub(super) seq: u64,
    pub(super) id: EntryId,
    /// The positions of the entries from the last multiple of [`CHUNK`] on.
    open: Vec<u64>,
}

impl Trail {
    /// The trail of a trajectory's first entry.
    pub(super) fn start(id: EntryId, position: u64) -> Self {
        Self { seq: 0, id, open: vec![position] }
    }

    /// Adds the next entry. Returns the number and the positions of the chunk that was full, if it was.
    pub(super) fn push(&mut self, id: EntryId, position: u64) -> Option<(u64, Vec<u64>)> {
        let full = (self.open.len() as u64 == CHUNK).then(|| (self.seq / CHUNK, std::mem::take(&mut self.open)));
        self.seq += 1;
        self.id = id;
        self.open.push(position);
        full
    }

    pub(super) fn head(&self) -> Head {
        Head { seq: self.seq, id: self.id, position: Position(self.open.last().copied().unwrap_or_default()) }
    }

    /// The seq of the first entry that is in no chunk.
    pub(super) fn open_from(&self) -> u64 {
        self.seq / CHUNK * CHUNK
    }

    pub(super) fn open(&self) -> &[u64] {
        &self.open
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(40 + 8 * self.open.len());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend(encode_positions(&self.open));
        bytes
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Result<Self, StoreError> {
        let seq = u64::from_be_bytes(*array(&mut bytes)?);
        let id = EntryId(*array(&mut bytes)?);
        let open = decode_positions(bytes)?;
        if open.len() as u64 != seq % CHUNK + 1 {
            return Err(damaged("the head of a trajectory does not fit its seq"));
        }
        Ok(Self { seq, id, open })
    }
}

pub(super) fn encode_positions(positions: &[u64]) -> Vec<u8> {
    positions.iter().flat_map(|position| position.to_be_bytes()).collect()
}

pub(super) fn decode_positions(bytes: &[u8]) -> Result<Vec<u64>, StoreError> {
    let (positions, rest) = bytes.as_chunks::<8>();
    if rest.is_empty() {
        Ok(positions.iter().map(|position| u64::from_be_bytes(*position)).collect())
    } else {
        Err(damaged("a list of positions is cut short"))
    }
}

pub(super) fn chunk_key(trajectory: &TrajectoryId, chunk: u64) -> ChunkKey {
    let mut key = [0; 40];
    let (id, number) = key.split_at_mut(32);
    id.copy_from_slice(trajectory.as_bytes());
    number.copy_from_slice(&chunk.to_be_bytes());
    key
}

/// The number in a key.
pub(super) fn chunk_number(key: &ChunkKey) -> u64 {
    key.last_chunk().copied().map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_keeps_what_no_chunk_holds() {
        let mut trail = Trail::start(EntryId::ZERO, 100);
        let mut chunks = Vec::new();
        for seq in 1..100 {
            chunks.extend(trail.push(EntryId([seq as u8; 32]), 100 + seq));
            assert_eq!(trail.head(), Head { seq, id: EntryId([seq as u8; 32]), position: Position(100 + seq) });
            assert_eq!(Trail::decode(&trail.encode()).unwrap(), trail);
            assert_eq!(trail.open(), (100 + trail.open_from()..=100 + seq).collect::<Vec<_>>());
        }
        let chunk = |number: u64| (number, (100 + number * CHUNK..100 + (number + 1) * CHUNK).collect::<Vec<_>>());
        assert_eq!(chunks, [chunk(0), chunk(1), chunk(2)]);
    }

    #[test]
    fn a_trail_that_was_cut_is_damaged() {
        let bytes = Trail::start(EntryId::ZERO, 7).encode();
        for length in 0..bytes.len() {
            assert!(matches!(Trail::decode(&bytes[..length]), Err(StoreError::Damaged(_))));
        }
    }
}
