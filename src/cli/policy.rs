use std::path::{Path, PathBuf};

use futures::executor::block_on;

use super::{
    failure::{Done, Failure},
    files,
    home::{Home, ROOT},
    locate::Place,
    out::Out,
    style::{BAD, GOOD, WARN, count, paint, plain},
    tools,
};
use crate::{
    contract::ContractSet,
    crypto::{Role, Trust},
    policy::{Bundle, BundleEntry, BundleError, PolicySet, PolicySetBuilder, RuleFault, SignedBundle, UnsignedBundle},
};

/// Sign and check policy bundles
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Sign(Sign),
    Check(Check),
}

/// Sign a bundle of rules
#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    /// File of a bundle, `{"name":…,"version":…,"rules":[…]}`
    file: PathBuf,
    /// The key that signs; runs take bundles only from keys with the role policy_issuer
    #[arg(long, value_name = "NAME", default_value = ROOT)]
    key: String,
    #[command(flatten)]
    output: files::Output,
}

/// Check a bundle: its form, its signature, and its rules against the tools
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// File of a bundle, signed or not
    file: PathBuf,
    /// Do not mind that nobody signed it
    #[arg(long)]
    allow_unsigned_policy: bool,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(command: &Command) -> Done {
    match command {
        Command::Sign(args) => sign(args),
        Command::Check(args) => check(args),
    }
}

/// A bundle as a file holds it.
enum Loaded {
    Signed(Box<SignedBundle>),
    Unsigned(Bundle),
}

impl Loaded {
    fn bundle(&self) -> &Bundle {
        match self {
            Self::Signed(signed) => &signed.policy,
            Self::Unsigned(bundle) => bundle,
        }
    }
}

fn load(path: &Path) -> Done<Loaded> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| Failure::usage(format!("policy `{shown}`: {error}")))?;
    let value = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
    let signed = value.is_some_and(|value| value.get("signature").is_some() || value.get("issuer_pubkey").is_some());
    let loaded = match signed {
        true => SignedBundle::from_json(&bytes).map(|signed| Loaded::Signed(Box::new(signed))),
        false => Bundle::from_json(&bytes).map(Loaded::Unsigned),
    };
    loaded.map_err(|error| Failure::failed(format!("`{shown}`: {error}")))
}

/// A bundle as part of a set that is only simulated: it may be unsigned, or signed by anybody, but a signature has to hold.
pub(super) fn entry(path: &Path) -> Done<BundleEntry> {
    match load(path)? {
        Loaded::Signed(signed) => {
            let verified = signed.verify(|_| true);
            let verified = verified.map_err(|error| Failure::failed(format!("`{}`: {error}", path.display())))?;
            Ok(BundleEntry::Signed(Box::new(verified.into_signed())))
        }
        Loaded::Unsigned(bundle) => Ok(BundleEntry::Unsigned(UnsignedBundle::accept_unsigned(bundle).into_bundle())),
    }
}

/// The policies of a run: its bundles in order, each signed by a trusted key unless the opt-out is given.
pub(super) fn set(files: &[PathBuf], allow_unsigned: bool, roots: &Trust, contracts: &ContractSet) -> Done<PolicySet> {
    let mut builder = PolicySet::builder();
    for path in files {
        builder = add(builder, load(path)?, allow_unsigned, roots).map_err(|failure| match failure {
            None => Failure::failed(format!("policy `{}` is not signed", path.display()))
                .hint("sign it with `thymos policy sign`, or take it as it is with --allow-unsigned-policy"),
            Some(error) => Failure::failed(format!("`{}`: {error}", path.display())),
        })?;
    }
    let set = builder.build().map_err(Failure::failed)?;
    set.check(contracts).map_err(|faults| Failure::failed(list(&faults)))?;
    Ok(set)
}

/// Adds a bundle. `Err(None)` means that it is unsigned and must not be.
fn add(
    builder: PolicySetBuilder,
    loaded: Loaded,
    allow_unsigned: bool,
    roots: &Trust,
) -> Result<PolicySetBuilder, Option<BundleError>> {
    match loaded {
        Loaded::Signed(signed) => Ok(builder.bundle(signed.verify(|key| roots.has(key, Role::PolicyIssuer))?)),
        Loaded::Unsigned(bundle) if allow_unsigned => {
            Ok(builder.unsigned_bundle(UnsignedBundle::accept_unsigned(bundle)))
        }
        Loaded::Unsigned(_) => Err(None),
    }
}

fn list(faults: &[RuleFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn sign(args: &Sign) -> Done {
    let Loaded::Unsigned(bundle) = load(&args.file)? else {
        return Err(Failure::usage(format!("`{}` is signed already", args.file.display())));
    };
    let home = Home::locate()?;
    let output = args.output.place(&home, &Place::default().ledger())?;
    home.ensure()?;
    let key = home.secret(&args.key)?;
    let signed = block_on(SignedBundle::sign(bundle, &key)).map_err(Failure::failed)?;
    if !home.roots()?.has(&key.public_key(), Role::PolicyIssuer) {
        anstream::eprintln!("{} no run takes it: `{}` has not the role policy_issuer", paint(WARN, "note:"), args.key);
    }
    output.write(&serde_json::to_string_pretty(&signed).map_err(Failure::failed)?)
}

fn check(args: &Check) -> Done {
    let home = Home::locate()?;
    let loaded = load(&args.file)?;
    let contracts = tools::contracts(&tools::of(&args.place.workspace(&home)?)?)?;
    let mut out = Out::new();
    let (ok, no) = (paint(GOOD, "ok"), paint(BAD, "NO"));
    let bundle = loaded.bundle();
    let rules = count(bundle.rules.len() as u64, "rule", "rules");
    out.line(format_args!("{ok} bundle {} version {}, {rules}", plain(&bundle.name), plain(&bundle.version)));
    let mut good = true;
    match &loaded {
        Loaded::Signed(signed) => match signed.clone().verify(|key| trusted(&home, key)) {
            Ok(verified) => out.line(format_args!("{ok} signed by {}, which is trusted", verified.issuer())),
            Err(error) => {
                good = false;
                out.line(format_args!("{no} {}", plain(&error.to_string())));
            }
        },
        Loaded::Unsigned(_) => {
            good = args.allow_unsigned_policy;
            let word = if good { paint(WARN, "--") } else { no.clone() };
            out.line(format_args!("{word} not signed: runs take it only with --allow-unsigned-policy"));
        }
    }
    let bundle = UnsignedBundle::accept_unsigned(loaded.bundle().clone());
    let set = PolicySet::builder().unsigned_bundle(bundle).build().map_err(Failure::failed)?;
    match set.check(&contracts) {
        Ok(()) => out.line(format_args!("{ok} every rule can apply to the tools of this workspace")),
        Err(faults) => {
            good = false;
            faults.iter().for_each(|fault| out.line(format_args!("{no} {}", plain(&fault.to_string()))));
        }
    }
    out.finish()?;
    if good { Ok(()) } else { Err(Failure::told()) }
}

fn trusted(home: &Home, key: &crate::crypto::PublicKey) -> bool {
    home.roots().is_ok_and(|roots| roots.has(key, Role::PolicyIssuer))
}
