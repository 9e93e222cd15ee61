use crate::{
    canon::TrajectoryId,
    ledger::{LedgerStore, Register, RegisterKey, StoreError},
};

/// How many registers are read at a time.
const PAGE: usize = 512;

/// The requests that wait in all runs of a store: each run, and the seq of the request, by run and in order.
///
/// They are read from the registers; what a request says, and whether it verifies, shows a replay of its run.
///
/// # Errors
/// When the store fails.
pub async fn waiting(store: &dyn LedgerStore) -> Result<Vec<(TrajectoryId, u64)>, StoreError> {
    let (class, mut waiting, mut after) = (RegisterKey::all(Register::Request), Vec::new(), None);
    loop {
        let page = store.registers(class.as_bytes(), after.as_ref(), PAGE).await?;
        waiting.extend(page.iter().filter_map(|(key, _)| key.as_request()));
        match page.into_iter().nth(PAGE - 1) {
            Some((last, _)) => after = Some(last),
            None => return Ok(waiting),
        }
    }
}
