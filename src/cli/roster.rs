use std::path::{Path, PathBuf};

use futures::executor::block_on;
use serde_json::json;

use super::{
    failure::{Done, Failure},
    files,
    home::{Home, ROOT},
    locate::Place,
    out::Out,
    steward,
    style::{BOLD, WARN, count, paint, plain},
};
use crate::{
    crypto::{PublicKey, Role},
    ledger::record::RosterRecord,
    policy::{Roster, SignedRoster},
    replay::{Contracts, authority_of},
};

/// Say who approves what: sign a roster, put it in force, show it
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Sign(Sign),
    Set(Set),
    Show(Show),
}

/// Sign a roster
#[derive(Debug, clap::Args)]
#[command(after_help = "Example of a roster, in which two of three have to approve on the channel `finance`:
  {\"channels\":{\"finance\":{\"approvers\":[{\"key\":\"…\",\"name\":\"alice\"},…],\"required\":2}},\"version\":\"1\"}")]
pub(super) struct Sign {
    /// File of a roster
    file: PathBuf,
    /// The key that signs; ledgers take rosters only from keys with the role policy_issuer
    #[arg(long, value_name = "NAME", default_value = ROOT)]
    key: String,
    #[command(flatten)]
    output: files::Output,
}

/// Put a signed roster in force on a ledger, until another one is
#[derive(Debug, clap::Args)]
pub(super) struct Set {
    /// File of a signed roster
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Show the roster in force
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> Done {
    match command {
        Command::Sign(args) => sign(args),
        Command::Set(args) => set(args),
        Command::Show(args) => show(args),
    }
}

fn read(path: &Path) -> Done<Vec<u8>> {
    std::fs::read(path).map_err(|error| Failure::usage(format!("roster `{}`: {error}", path.display())))
}

fn sign(args: &Sign) -> Done {
    let shown = |error| Failure::failed(format!("`{}`: {error}", args.file.display()));
    let roster = Roster::from_json(&read(&args.file)?).map_err(shown)?;
    let home = Home::locate()?;
    let output = args.output.place(&home, &Place::default().ledger())?;
    home.ensure()?;
    let key = home.secret(&args.key)?;
    let signed = block_on(SignedRoster::sign(roster, &key)).map_err(Failure::failed)?;
    if !home.roots()?.has(&key.public_key(), Role::PolicyIssuer) {
        anstream::eprintln!(
            "{} no ledger takes it: `{}` has not the role policy_issuer",
            paint(WARN, "note:"),
            args.key
        );
    }
    output.write(&serde_json::to_string_pretty(&signed).map_err(Failure::failed)?)
}

fn set(args: &Set) -> Done {
    let failed = |error| {
        Failure::failed(format!("`{}`: {error}", args.file.display())).hint("sign it with `thymos roster sign`")
    };
    let signed = SignedRoster::from_json(&read(&args.file)?).map_err(failed)?;
    let home = Home::locate()?;
    let roots = home.roots()?;
    let verified = signed.verify(|key: &PublicKey| roots.has(key, Role::PolicyIssuer)).map_err(failed)?;
    let (channels, version) = (verified.roster().channels.len() as u64, verified.roster().version.clone());
    drop(steward::open_with(&home, &args.place, |builder| builder.roster(verified))?);
    let mut out = Out::new();
    let channels = count(channels, "channel", "channels");
    out.line(format_args!("in force: roster version {}, {channels}", plain(&version)));
    out.finish()
}

fn show(args: &Show) -> Done {
    let ledger = args.place.open_existing()?;
    let log = block_on(authority_of(&ledger, None, Contracts::Of(&[])))?;
    let mut out = Out::new();
    match &log.state().roster {
        Some(RosterRecord { hash, roster, signed_by, .. }) if args.json => {
            out.json(&json!({"hash": hash, "roster": roster, "signed_by": signed_by}));
        }
        None if args.json => out.json(&json!(null)),
        Some(RosterRecord { hash, roster, signed_by, .. }) => {
            out.line(format_args!("roster version {} · {hash} · signed by {signed_by}", plain(&roster.version)));
            for (channel, quorum) in &roster.channels {
                let told = format!("{} of {}", quorum.required, quorum.approvers.len());
                out.line(format_args!("{} · {told}", paint(BOLD, plain(channel))));
                for approver in &quorum.approvers {
                    out.detail("", format_args!("{} {}", approver.key, plain(&approver.name)));
                }
            }
        }
        None => {
            out.line(
                "no roster is in force: on every channel one approval is enough, of any key with the role approver",
            );
            for key in log.state().trust.keys(Role::Approver) {
                out.detail("", key);
            }
        }
    }
    out.finish()
}
