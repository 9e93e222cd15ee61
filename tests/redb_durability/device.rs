use std::{
    io::{Error, ErrorKind},
    sync::{Arc, Mutex, PoisonError},
};

use openthymos::ledger::{StoreError, redb::RedbLedger};
use redb::StorageBackend;

/// What happens to an operation whose turn it is to fail, and to all after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// It fails, and so does everything.
    Error,
    /// There is no room: growing and writing fail.
    Full,
    /// A sync panics.
    Panic,
}

/// What a crash leaves of the writes that no sync has covered.
#[derive(Debug, Clone, Copy)]
pub enum Unsynced {
    Lost,
    Kept,
    /// Some are kept, whole or in part, in no particular order.
    Torn,
}

/// A device in memory that remembers what was synced.
#[derive(Debug, Clone, Default)]
pub struct Device(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    synced: Vec<u8>,
    current: Vec<u8>,
    unsynced: Vec<Change>,
    operations: u64,
    fault: Option<(u64, Fault)>,
}

#[derive(Debug)]
enum Change {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(at, data) => {
                bytes.resize(bytes.len().max(at + data.len()), 0);
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
        }
    }
}

impl Device {
    /// A device that fails from its operation `number` on.
    pub fn failing(self, number: u64, fault: Fault) -> Self {
        self.state().fault = Some((number, fault));
        self
    }

    pub fn open(&self, quick_repair_bytes: u64) -> Result<RedbLedger, StoreError> {
        RedbLedger::options().quick_repair_bytes(quick_repair_bytes).with_backend(self.clone())
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// A device without faults that holds what a crash would leave on this one.
    pub fn after_crash(&self, unsynced: Unsynced) -> Self {
        let state = self.state();
        let mut bytes = state.synced.clone();
        for (number, change) in state.unsynced.iter().enumerate() {
            // A multiplicative hash decides: the outcome differs from write to write, and not from run to run.
            let lot = (number as u64 + state.operations).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            match (unsynced, change) {
                (Unsynced::Lost, _) => {}
                (Unsynced::Torn, Change::Write(at, data)) => match lot % 3 {
                    0 => {}
                    1 => Change::Write(*at, data[..data.len() / 2].to_vec()).apply(&mut bytes),
                    _ => change.apply(&mut bytes),
                },
                (Unsynced::Kept | Unsynced::Torn, change) => change.apply(&mut bytes),
            }
        }
        Self(Arc::new(Mutex::new(State { synced: bytes.clone(), current: bytes, ..State::default() })))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, writes: bool, syncs: bool) -> Result<std::sync::MutexGuard<'_, State>, Error> {
        let mut state = self.state();
        state.operations += 1;
        match state.fault {
            Some((number, fault)) if state.operations > number => match fault {
                Fault::Error => Err(Error::other("the device is gone")),
                Fault::Full if writes => Err(Error::from(ErrorKind::StorageFull)),
                Fault::Panic if syncs => std::panic::resume_unwind(Box::new("the device panicked")),
                _ => Ok(state),
            },
            _ => Ok(state),
        }
    }

    fn change(&self, change: Change) -> Result<(), Error> {
        let mut state = self.step(true, false)?;
        change.apply(&mut state.current);
        state.unsynced.push(change);
        Ok(())
    }
}

impl StorageBackend for Device {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.step(false, false)?.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let state = self.step(false, false)?;
        let bytes = state.current.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.change(Change::Length(len as usize))
    }

    fn sync_data(&self) -> Result<(), Error> {
        let mut state = self.step(false, true)?;
        let State { synced, unsynced, .. } = &mut *state;
        unsynced.drain(..).for_each(|change| change.apply(synced));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.change(Change::Write(offset as usize, data.to_vec()))
    }
}
