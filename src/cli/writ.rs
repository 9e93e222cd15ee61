use std::path::{Path, PathBuf};

use futures::executor::block_on;

use super::{
    budget,
    failure::{Done, Failure},
    files,
    grant::{self, Grant},
    home::{Home, ROOT},
    locate::{self, Place},
    out::Out,
    revoke,
    style::{BAD, BOLD, GOOD, count, paint, plain},
    time::{now_ms, rfc3339, span_ms},
    tools,
};
use crate::{
    canon::StoreId,
    crypto::{NamedKey, Role},
    writ::{Scope, UnverifiedChain, Window, WritBody, WritBuilder, WritChain},
};

/// Issue, narrow, show, verify and revoke writs
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Issue(Issue),
    Mint(Mint),
    /// Show a writ and those above it, in words
    Show(File),
    /// Check signatures, links, window, and that the root is trusted here
    Verify(File),
    Revoke(revoke::Args),
}

/// Issue a writ from the key `root`
///
/// What is not given: tools that only read, effects up to read, 200 calls and 600 seconds.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  thymos writ issue --to agent --scopes 'fs_*,grep' --effects write --expires 8h -o writ.json"
)]
pub(super) struct Issue {
    /// Who may act: the name of a key of yours, or 64 hex digits
    #[arg(long, value_name = "NAME|PUBKEY")]
    to: String,
    #[command(flatten)]
    grant: Grant,
    /// How long it holds from now, such as 15m, 8h or 7d
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span_ms)]
    expires: u64,
    /// How many generations may be minted below it
    #[arg(long, value_name = "N", default_value_t = 0)]
    depth: u32,
    /// The store that it is for: an id, or `any` [default: the ledger of the workspace]
    #[arg(long, value_name = "ID|any")]
    store: Option<String>,
    /// Whose resources these are
    #[arg(long, default_value = "default")]
    tenant: String,
    #[command(flatten)]
    output: files::Output,
    #[command(flatten)]
    place: Place,
}

/// Mint a narrower writ below another
///
/// What is not given stays as wide as it is above; delegation ends unless --depth goes on with it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  thymos writ mint writ.json --key agent --to helper --scopes fs_read --budget tool_calls=10 -o child.json"
)]
pub(super) struct Mint {
    /// The writ above
    file: PathBuf,
    /// The key of its subject, which issues the new one
    #[arg(long, value_name = "NAME")]
    key: String,
    /// Who may act: the name of a key of yours, or 64 hex digits
    #[arg(long, value_name = "NAME|PUBKEY")]
    to: String,
    #[command(flatten)]
    grant: Grant,
    /// How long it holds from now
    #[arg(long, value_name = "SPAN", value_parser = span_ms)]
    expires: Option<u64>,
    /// How many generations may be minted below it
    #[arg(long, value_name = "N", default_value_t = 0)]
    depth: u32,
    #[command(flatten)]
    output: files::Output,
}

#[derive(Debug, clap::Args)]
pub(super) struct File {
    /// File of a writ with those above it
    file: PathBuf,
}

pub(super) fn run(command: &Command) -> Done {
    match command {
        Command::Issue(args) => issue(args),
        Command::Mint(args) => mint(args),
        Command::Show(args) => show(&args.file),
        Command::Verify(args) => verify(&args.file),
        Command::Revoke(args) => revoke::run(args),
    }
}

/// Reads a writ, and checks its signatures and links.
pub(super) fn load(path: &Path) -> Done<WritChain> {
    let bytes = std::fs::read(path).map_err(|error| Failure::usage(format!("writ `{}`: {error}", path.display())))?;
    let chain = UnverifiedChain::from_json(&bytes).and_then(UnverifiedChain::verify);
    chain.map_err(|error| Failure::failed(format!("`{}`: {error}", path.display())))
}

fn issue(args: &Issue) -> Done {
    let home = Home::locate()?;
    let workspace = args.place.workspace(&home)?;
    let output = args.output.place(&home, &args.place.ledger())?;
    let stores = match args.store.as_deref() {
        Some("any") => None,
        Some(id) => Some(id.parse::<StoreId>().map_err(|error| {
            Failure::usage(format!("store: {error}")).hint("`any` lets the writ be used in every store that trusts you")
        })?),
        None => {
            let ledger = args
                .place
                .open_existing()
                .map_err(|failure| failure.hint("give the store with --store ID, or --store any"))?;
            Some(block_on(locate::store_id(&ledger))?)
        }
    };
    home.ensure()?;
    let contracts = tools::contracts(&tools::of(&workspace)?)?;
    let root = home.secret(ROOT)?;
    let now = now_ms();
    let mut builder = WritBuilder::root(NamedKey::new(ROOT, root.public_key()), home.public(&args.to)?)
        .tenant(&args.tenant)
        .scopes(args.grant.scopes(&contracts)?)
        .effects_up_to(args.grant.effects())
        .budget(args.grant.budget())
        .window(Window { not_before_ms: now, expires_at_ms: now.saturating_add(args.expires) })
        .delegable(args.depth);
    builder = match stores {
        Some(store) => builder.stores([store]),
        None => builder.any_store(),
    };
    let chain = block_on(builder.sign(&root)).map_err(Failure::failed)?;
    save(&chain, output)
}

fn mint(args: &Mint) -> Done {
    let parent = load(&args.file)?;
    let home = Home::locate()?;
    let output = args.output.place(&home, &Place::default().ledger())?;
    let issuer = home.secret(&args.key)?;
    if issuer.public_key() != parent.leaf().subject.key {
        let subject = &parent.leaf().subject;
        let message = format!("the key `{}` is not that of the writ's subject `{}`", args.key, plain(&subject.name));
        return Err(Failure::usage(message).hint("only the subject of a writ mints below it"));
    }
    let mut builder = WritBuilder::child(&parent, home.public(&args.to)?).delegable(args.depth);
    if !args.grant.scopes.is_empty() {
        builder = builder.scopes(args.grant.scopes.iter().cloned().map(Scope::tools));
    }
    if let Some(effects) = args.grant.effects {
        builder = builder.effects_up_to(effects);
    }
    if let Some(limits) = args.grant.budget {
        builder = builder.budget(limits.over(parent.leaf().budget));
    }
    if let Some(span) = args.expires {
        let now = now_ms();
        builder = builder.window(Window { not_before_ms: now, expires_at_ms: now.saturating_add(span) });
    }
    let chain = block_on(builder.sign(&issuer)).map_err(Failure::failed)?;
    save(&chain, output)
}

fn save(chain: &WritChain, output: files::Place) -> Done {
    let text = serde_json::to_string_pretty(&chain.to_unverified()).map_err(Failure::failed)?;
    output.write(&text)
}

fn show(path: &Path) -> Done {
    let chain = load(path)?;
    let mut out = Out::new();
    for (generation, (id, writ)) in chain.links().enumerate() {
        let title = format!("{} → {}", plain(&writ.issuer.name), plain(&writ.subject.name));
        out.line(format_args!("{} {id}", paint(BOLD, title)));
        tell(&mut out, generation, writ);
    }
    out.finish()
}

fn tell(out: &mut Out, generation: usize, writ: &WritBody) {
    out.field("issuer", writ.issuer.key);
    out.field("subject", writ.subject.key);
    out.field(
        "kind",
        if generation == 0 { "root writ".into() } else { format!("generation {generation} below the root") },
    );
    out.field("scopes", grant::scopes(writ));
    out.field("effects", format_args!("up to {}", writ.effect_ceiling));
    out.field("budget", budget::words(&writ.budget));
    out.field("window", grant::window(&writ.window));
    out.field("audience", grant::audience(&writ.audience));
    out.field("tenant", plain(&writ.tenant));
    let depth = count(u64::from(writ.delegation.depth), "generation", "generations");
    let may = writ.delegation.may_subdivide && writ.delegation.depth > 0;
    out.field("delegation", if may { format!("{depth} more") } else { "no".into() });
}

fn verify(path: &Path) -> Done {
    let chain = load(path)?;
    let (root, leaf, now) = (chain.root(), chain.leaf(), now_ms());
    let links = count(chain.links().len() as u64, "link", "links");
    let mut out = Out::new();
    out.line(format_args!("{} signatures and {links} hold", paint(GOOD, "ok")));
    let trusted = Home::locate()?.roots()?.has(&root.issuer.key, Role::WritIssuer);
    let issuer = format!("{} {}", plain(&root.issuer.name), root.issuer.key);
    let (good, told) = match (trusted, leaf.window) {
        (false, _) => (false, format!("the root's issuer {issuer} is not trusted here to issue writs")),
        (_, window) if now > window.expires_at_ms => {
            (false, format!("it expired at {}", rfc3339(window.expires_at_ms)))
        }
        (_, window) if now < window.not_before_ms => {
            (false, format!("it holds from {} on", rfc3339(window.not_before_ms)))
        }
        _ => (true, format!("the root's issuer {issuer} is trusted, and it holds {}", grant::window(&leaf.window))),
    };
    let word = if good { paint(GOOD, "ok") } else { paint(BAD, "NO") };
    out.line(format_args!("{word} {told}"));
    out.finish()?;
    if good { Ok(()) } else { Err(Failure::told()) }
}
