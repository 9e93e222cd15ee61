//! A ledger opened for what belongs to no run: to revoke, rotate and reset.

use anstream::eprintln;
use futures::executor::block_on;

use super::{
    failure::{Done, Failure},
    home::{Home, RUNTIME, Trusted},
    locate::Place,
};
use crate::{
    crypto::{NamedKey, PublicKey, SecretKey},
    ledger::{LedgerStore, redb::RedbLedger},
    replay::{Contracts, ReplayError, authority_of},
    runtime::{BuildError, Builder, Runtime},
};

/// Opens the ledger of a place, which must be there, with the home's keys.
pub(super) fn open(home: &Home, place: &Place) -> Done<Runtime> {
    open_with(home, place, |builder| builder)
}

/// As [`open`], with what else is to be recorded.
pub(super) fn open_with(home: &Home, place: &Place, tune: impl FnOnce(Builder) -> Builder) -> Done<Runtime> {
    catch_up(home, place)?;
    start(tune(builder(&home.trust()?).signer(RUNTIME, home.secret(RUNTIME)?)), place)
}

/// A builder that trusts these keys.
pub(super) fn builder(trust: &[Trusted]) -> Builder {
    let mut builder = Runtime::builder().authority_only();
    for trusted in trust {
        builder = builder.trust(NamedKey::new(&*trusted.name, trusted.key), trusted.roles.iter().copied());
    }
    builder
}

pub(super) fn start(builder: Builder, place: &Place) -> Done<Runtime> {
    // That it is there is found without making it.
    drop(place.open_existing()?);
    let ledger = RedbLedger::open(place.ledger())?;
    block_on(builder.ledger(ledger).open()).map_err(|error| wrong_home(&error))
}

/// The key that signs a ledger; none when there is no ledger, or nobody signs it.
pub(super) fn signed_by(place: &Place) -> Done<Option<PublicKey>> {
    if std::fs::metadata(place.ledger()).map_or(0, |found| found.len()) == 0 {
        return Ok(None);
    }
    key_of(&place.open_existing()?)
}

fn key_of(ledger: &dyn LedgerStore) -> Done<Option<PublicKey>> {
    match block_on(authority_of(ledger, None, Contracts::Of(&[]))) {
        Ok(log) => Ok(log.state().runtime_key().map(|named| named.key)),
        Err(ReplayError::Empty) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Replaces the key of a ledger that an earlier key of this home still signs.
pub(super) fn catch_up(home: &Home, place: &Place) -> Done {
    let replaced = home.replaced(RUNTIME)?;
    if replaced.is_empty() {
        return Ok(());
    }
    let Some(key) = signed_by(place)? else { return Ok(()) };
    let Some(old) = replaced.into_iter().find(|old| old.key == key) else { return Ok(()) };
    if old.compromised {
        let message = format!("this ledger is signed by an earlier key `{RUNTIME}`, {key}, which is compromised");
        return Err(Failure::failed(message).hint(
            "`thymos keys rotate runtime --compromised-from POSITION` says from where on in this ledger, and replaces it",
        ));
    }
    let secret: SecretKey = home.replaced_secret(RUNTIME, &old)?;
    let builder = builder(&home.trust()?).signer(RUNTIME, home.secret(RUNTIME)?).rotate_from(secret);
    start(builder, place)?;
    eprintln!("this ledger was signed by an earlier key `{RUNTIME}`: it is replaced, and that is on record");
    Ok(())
}

/// A ledger that cannot be opened with the home's keys.
pub(super) fn wrong_home(error: &BuildError) -> Failure {
    match error {
        BuildError::WrongKey { ledger, .. } => {
            Failure::failed(format!("the ledger is signed by key {ledger}, which this home does not have"))
                .hint("set THYMOS_HOME to the folder with this ledger's keys, or choose another ledger")
        }
        error => Failure::failed(error),
    }
}
