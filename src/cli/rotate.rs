//! Replaces a key in the home, and in the ledger of the workspace.

use futures::executor::block_on;

use super::{
    failure::{Done, Failure},
    home::{Home, ROOT, RUNTIME, Replaced, Rotated, Trusted},
    locate::Place,
    out::Out,
    steward,
    style::{count, plain},
};
use crate::{
    crypto::{NamedKey, PublicKey, Role, SecretKey},
    ledger::{LedgerStore, Position},
    runtime::{Rotation, Runtime},
};

/// Replace a key by a new one of the same name
///
/// The old secret is kept aside: other ledgers of this home are signed by the new key when they are opened next. Writs and
/// bundles that the old key issued are not taken any more. A key `runtime` that is lost is replaced by the key `root`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos keys rotate runtime
  thymos keys rotate runtime --compromised-from 812")]
pub(super) struct Args {
    /// Its name, such as runtime or root
    name: String,
    /// The old key is in wrong hands: what it signed in this ledger from this position on proves nothing. `thymos runs --json`
    /// has the position of each run's last entry
    #[arg(long, value_name = "POSITION")]
    compromised_from: Option<u64>,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &Args) -> Done {
    let (home, name) = (Home::locate()?, args.name.as_str());
    home.check()?;
    let from = args.compromised_from.map(Position);
    let ledger = args.place.ledger().exists();
    if from.is_some() && !ledger {
        return Err(args.place.open_existing().err().unwrap_or_else(Failure::told));
    }
    let trust = home.trust()?;
    let mut out = Out::new();
    if let Some(from) = from {
        return compromised(args, &home, &trust, from, out);
    }
    // The key that signs entries may be lost: a root replaces it. Without any other nothing can be replaced.
    let old = if name == RUNTIME && !home.holds(name) { None } else { Some(home.secret(name)?) };
    // Whatever can be wrong with the ledger is found before a key is replaced.
    let runtime = match (ledger, &old) {
        (true, Some(_)) => {
            steward::catch_up(&home, &args.place)?;
            let builder = steward::builder(&trust).signer(RUNTIME, home.secret(RUNTIME)?);
            Some(steward::start(builder, &args.place)?)
        }
        _ => None,
    };
    let root = home.secret(ROOT)?;
    let rotated = home.rotate(name, false)?;
    match (&runtime, &old) {
        (Some(runtime), Some(old)) => record(runtime, name, &rotated, None, old)?,
        (None, None) if ledger => {
            let builder = steward::builder(&trust).signer(RUNTIME, rotated.new.clone());
            steward::start(builder.rotate_by(root), &args.place)?;
        }
        _ => {}
    }
    tell(&mut out, name, &rotated, ledger);
    out.finish()
}

/// Says from where on a key is invalid, and replaces it: in the home too, unless that was done for another ledger.
fn compromised(args: &Args, home: &Home, trust: &[Trusted], from: Position, mut out: Out) -> Done {
    let name = args.name.as_str();
    let signed_by = steward::signed_by(&args.place)?;
    let earlier: Option<Replaced> = match name {
        RUNTIME => home.replaced(RUNTIME)?.into_iter().find(|old| Some(old.key) == signed_by),
        _ => None,
    };
    let signer = match &earlier {
        Some(old) => home.replaced_secret(RUNTIME, old)?,
        None => home.secret(RUNTIME)?,
    };
    let runtime = steward::start(steward::builder(trust).signer(RUNTIME, signer), &args.place)?;
    let length = length(&**runtime.ledger())?;
    if from > length {
        let message = format!("position {} is beyond the end of the ledger, which has {} entries", from.0, length.0);
        return Err(Failure::usage(message));
    }
    if !trust.iter().any(|trusted| trusted.name == name && !trusted.roles.is_empty()) {
        let message = format!("the key `{name}` has no role, so nothing is signed by it that others rest on");
        let hint = "revoke the writs of which it is the subject: `thymos writ revoke`; where a roster names it, put another one in \
                    force: `thymos roster set`";
        return Err(Failure::usage(message).hint(hint));
    }
    let root_before = home.secret(ROOT)?;
    let rotated = match &earlier {
        Some(old) => Rotated { old: old.key, new: home.secret(RUNTIME)?, roles: vec![Role::Runtime] },
        None => home.rotate(name, true)?,
    };
    record(&runtime, name, &rotated, Some(from), &root_before)?;
    let (affected, known) = (after(&**runtime.ledger(), from)?, earlier.is_some());
    if known {
        out.line(format_args!("this ledger is signed by the present key `{name}`, {}", rotated.new.public_key()));
    } else {
        tell(&mut out, name, &rotated, true);
    }
    let runs = count(affected, "run has", "runs have");
    out.line(format_args!("{} is invalid from position {} on: {runs} entries there", rotated.old, from.0));
    out.finish()
}

fn record(runtime: &Runtime, name: &str, rotated: &Rotated, from: Option<Position>, by: &SecretKey) -> Done {
    let rotation = if name == RUNTIME {
        Rotation::runtime(rotated.old, name, rotated.new.clone())
    } else {
        let trust = runtime.authority().trust;
        let held: Vec<_> = rotated.roles.iter().copied().filter(|role| trust.has(&rotated.old, *role)).collect();
        if held.is_empty() {
            return Ok(());
        }
        Rotation::new(held, rotated.old, NamedKey::new(name, rotated.new.public_key()))
    };
    let rotation = match from {
        Some(from) => rotation.compromised_from(from),
        None => rotation,
    };
    block_on(runtime.rotate(rotation, by))
        .map_err(|error| Failure::failed(format!("the key is replaced in the home, and not in this ledger: {error}")))
}

fn tell(out: &mut Out, name: &str, rotated: &Rotated, recorded: bool) {
    let new: PublicKey = rotated.new.public_key();
    out.line(format_args!("key `{}` is now {new}, and was {}", plain(name), rotated.old));
    let roles = &rotated.roles;
    if recorded && (!roles.is_empty() || name == RUNTIME) {
        out.line("the ledger of this workspace has it on record");
    }
    if name == RUNTIME {
        out.line("other ledgers of this home are signed by it when they are opened next");
    }
    if roles.contains(&Role::WritIssuer) {
        out.line("writs that the old key issued are not trusted any more: issue them anew with `thymos writ issue`");
    }
    if roles.contains(&Role::PolicyIssuer) {
        out.line("bundles that the old key signed are not taken any more: sign them anew with `thymos policy sign`");
    }
    if roles.is_empty() {
        out.line("writs to the old key can only be used with the old secret, which is kept aside");
    }
}

fn length(ledger: &dyn LedgerStore) -> Done<Position> {
    Ok(block_on(ledger.append(crate::ledger::Batch::default()))?)
}

/// How many runs have entries from a position on.
fn after(ledger: &dyn LedgerStore, from: Position) -> Done<u64> {
    let (mut runs, mut after) = (0, None);
    let authority = crate::ledger::AuthorityState::trajectory(block_on(super::locate::store_id(ledger))?);
    loop {
        let page = block_on(ledger.trajectories(after.as_ref(), 512))?;
        runs += page.iter().filter(|(id, head)| *id != authority && head.position >= from).count() as u64;
        match page.last() {
            Some((last, _)) => after = Some(*last),
            None => return Ok(runs),
        }
    }
}
