//! Voids a writ and all below it.

use std::path::Path;

use futures::executor::block_on;

use super::{
    failure::{Done, Failure},
    home::{Home, ROOT},
    locate::{self, Place},
    out::Out,
    steward,
    style::{BAD, count, paint, plain},
    trail, writ,
};
use crate::{
    canon::{TrajectoryId, WritId},
    ledger::{
        Kind, LedgerStore,
        record::{RunStart, Terminated},
    },
    writ::SignedWrit,
};

/// Revoke a writ, and with it all that were minted below it
///
/// Nothing is dispatched under it any more from then on, in no run of this ledger; what was dispatched before is not called
/// back.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos writ revoke writ.json --reason 'left the company'
  thymos writ revoke last")]
pub(super) struct Args {
    /// Writ: an id or the unique start of one, a file, or a run whose writ is meant
    writ: String,
    /// Why, for the record
    #[arg(long, default_value = "revoked by its issuer")]
    reason: String,
    /// The key that revokes; it needs the role writ_issuer
    #[arg(long, value_name = "NAME", default_value = ROOT)]
    key: String,
    #[command(flatten)]
    place: Place,
}

/// A run, the writs that it stands under, root first, and whether it has ended.
pub(super) struct Standing {
    run: TrajectoryId,
    pub(super) chain: Vec<(WritId, SignedWrit)>,
    ended: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let home = Home::locate()?;
    let key = home.secret(&args.key)?;
    let file = Path::new(&args.writ).is_file().then(|| writ::load(Path::new(&args.writ))).transpose()?;
    let runtime = steward::open(&home, &args.place)?;
    let runs = block_on(runs(&**runtime.ledger()))?;
    let id = match file {
        Some(chain) => chain.id(),
        None => block_on(find(&**runtime.ledger(), &runs, &args.writ))?,
    };
    let mut out = Out::new();
    let known = runs.iter().flat_map(|run| &run.chain).find(|(writ, _)| *writ == id);
    let between = known
        .map(|(_, signed)| format!(" ({} → {})", plain(&signed.writ.issuer.name), plain(&signed.writ.subject.name)));
    let between = between.unwrap_or_default();
    if runtime.authority().revoked.contains(&id) {
        out.line(format_args!("writ {id}{between} was revoked before; nothing has changed"));
    } else {
        block_on(runtime.revoke(id, &args.reason, &args.key, &key)).map_err(|error| {
            Failure::failed(error).hint("`thymos keys list` shows which keys have the role writ_issuer")
        })?;
        out.line(format_args!("{} writ {id}{between}", paint(BAD, "revoked")));
    }
    let under: Vec<_> = runs.iter().filter(|run| run.chain.iter().any(|(writ, _)| *writ == id)).collect();
    let open = under.iter().filter(|run| !run.ended).count();
    match under.len() as u64 {
        0 => out.line("no run of this ledger uses it; it is void here all the same when it is presented"),
        standing => {
            let stand = count(standing, "run of this ledger stands", "runs of this ledger stand");
            out.line(format_args!("{stand} under it, {open} of them not ended"));
        }
    }
    for run in under.iter().filter(|run| !run.ended).take(20) {
        let chain: Vec<_> = run.chain.iter().map(|(_, signed)| signed.clone()).collect();
        out.line(format_args!("  {} {}", run.run.short(), trail::authority(&chain)));
    }
    out.finish()
}

/// Every run of a ledger with its writs.
pub(super) async fn runs(ledger: &dyn LedgerStore) -> Done<Vec<Standing>> {
    let mut runs = Vec::new();
    for (opened, _) in locate::opened(ledger, usize::MAX).await? {
        let run = opened.trajectory;
        let Some(root) = ledger.read(&run, 0, 1).await?.into_iter().next() else { continue };
        let signed = root.body::<RunStart>().map_err(Failure::failed)?.chain;
        let chain = signed.into_iter().map(|signed| Ok((signed.writ.id().map_err(Failure::failed)?, signed)));
        let chain = chain.collect::<Done<_>>()?;
        let head = ledger.head(&run).await?.map_or(0, |head| head.seq);
        let last = ledger.read(&run, head, 1).await?.into_iter().next();
        let ended = last.is_some_and(|last| {
            last.header.known_kind() == Some(Kind::Terminated) && last.body::<Terminated>().is_ok()
        });
        runs.push(Standing { run, chain, ended });
    }
    Ok(runs)
}

/// The writ that a user names: by its id, the unique start of one, or a run.
async fn find(ledger: &dyn LedgerStore, runs: &[Standing], name: &str) -> Done<WritId> {
    let of_run = |id: &TrajectoryId| {
        let run = runs.iter().find(|standing| standing.run == *id);
        run.and_then(|standing| standing.chain.last()).map(|(writ, _)| *writ)
    };
    let hint = "a writ is named by its id, a unique start of that, its file, or a run: `thymos audit` shows both";
    let unknown =
        || Failure::usage(format!("no writ, file or run `{}`", name.chars().take(80).collect::<String>())).hint(hint);
    if name == "last" {
        return of_run(&locate::find(ledger, name).await?).ok_or_else(unknown);
    }
    let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !digits {
        return Err(unknown());
    }
    let writs = runs.iter().flat_map(|run| run.chain.iter().map(|(writ, _)| *writ));
    let mut found: Vec<_> = writs.filter(|writ| writ.to_string().starts_with(name)).collect();
    let named = runs.iter().filter(|run| run.run.to_string().starts_with(name));
    found.extend(named.filter_map(|standing| of_run(&standing.run)));
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => name.parse().map_err(|_| unknown()),
        _ => Err(Failure::usage(format!("`{name}` is the start of more than one id")).hint(hint)),
    }
}
