//! From the command line to a workspace, its ledger, and a run.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::{
    failure::{Done, Failure},
    home::Home,
};
use crate::{
    canon::{StoreId, TrajectoryId},
    ledger::{
        AuthorityState, Kind, LedgerStore, Position, StoreError,
        record::{Link, RunOpened, RunStart},
        redb::RedbLedger,
    },
};

/// The folder in a workspace that no tool sees.
pub(super) const FOLDER: &str = ".thymos";
const LEDGER: &str = "ledger.redb";
const PAGE: u64 = 256;

/// Where a command works.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Place {
    /// Directory that the agent works in; its ledger is `.thymos/ledger.redb`
    #[arg(long, value_name = "DIR", default_value = ".")]
    workspace: PathBuf,
    /// Another ledger file, which no tool may reach
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

impl Default for Place {
    fn default() -> Self {
        Self { workspace: ".".into(), ledger: None }
    }
}

impl Place {
    /// The workspace, which must exist and must not be a place where ledgers or keys are.
    pub(super) fn workspace(&self, home: &Home) -> Done<PathBuf> {
        let shown = self.workspace.display();
        let workspace = self.workspace.canonicalize();
        let workspace = workspace.map_err(|error| Failure::usage(format!("workspace `{shown}`: {error}")))?;
        if !workspace.is_dir() {
            return Err(Failure::usage(format!("workspace `{shown}` is not a directory")));
        }
        let hint = "choose another directory with --workspace";
        if workspace.components().any(|part| part.as_os_str() == FOLDER) {
            return Err(Failure::usage(format!("workspace `{shown}` lies in a `{FOLDER}` folder")).hint(hint));
        }
        let keys = resolve(home.path());
        if workspace.starts_with(&keys) || !out_of_reach(&workspace, &keys) {
            let message = format!("the agent could read the keys in `{}` from workspace `{shown}`", keys.display());
            return Err(Failure::usage(message).hint("set THYMOS_HOME to a folder outside of the workspace"));
        }
        let ledger = self.ledger.as_deref().map(resolve);
        if ledger.is_some_and(|ledger| !out_of_reach(&workspace, &ledger)) {
            let message = format!("the agent could read the ledger `{}`", self.ledger().display());
            return Err(Failure::usage(message).hint("put it outside of the workspace, or leave --ledger out"));
        }
        Ok(workspace)
    }

    /// The ledger's file.
    pub(super) fn ledger(&self) -> PathBuf {
        self.ledger.clone().unwrap_or_else(|| self.workspace.join(FOLDER).join(LEDGER))
    }

    /// What the next commands need to find the same ledger, and to work in the same place.
    pub(super) fn arguments(&self) -> String {
        let mut arguments = String::new();
        if self.workspace != Path::new(".") {
            arguments += &format!(" --workspace {}", quoted(self.workspace.display()));
        }
        if let Some(ledger) = &self.ledger {
            arguments += &format!(" --ledger {}", quoted(ledger.display()));
        }
        arguments
    }

    /// Opens the ledger of a workspace, and makes it where there is none.
    pub(super) fn open(&self, workspace: &Path) -> Done<RedbLedger> {
        let path = self.ledger();
        if self.ledger.is_none() {
            prepare(&workspace.join(FOLDER))?;
        }
        Ok(RedbLedger::open(&path)?)
    }

    /// Opens a ledger that is there.
    pub(super) fn open_existing(&self) -> Done<RedbLedger> {
        let path = self.ledger();
        let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        match std::fs::metadata(&path) {
            Ok(found) if found.len() == 0 => {
                let message = format!("the ledger `{}` is empty: there is nothing to verify", absolute.display());
                return Err(Failure::failed(message));
            }
            Ok(_) => {}
            Err(_) => {
                let message = format!("no ledger at `{}`", absolute.display());
                return Err(Failure::usage(message)
                    .hint("`thymos run \"Map this repository\"` makes one; --workspace or --ledger say where it is"));
            }
        }
        match RedbLedger::open_read_only(&path) {
            Ok(ledger) => Ok(ledger),
            Err(error @ StoreError::Held { .. }) => Err(error.into()),
            // After a crash it has to be repaired, which opening it for writing does.
            Err(_) => Ok(RedbLedger::open(&path)?),
        }
    }
}

/// A word as a shell takes it.
pub(super) fn quoted(word: impl std::fmt::Display) -> String {
    format!("'{}'", word.to_string().replace('\'', r"'\''"))
}

/// Whether tools that are confined to `workspace` cannot reach `path`.
fn out_of_reach(workspace: &Path, path: &Path) -> bool {
    match path.strip_prefix(workspace) {
        Ok(below) => below.components().any(|part| part.as_os_str() == FOLDER),
        Err(_) => true,
    }
}

/// A path behind links, as far as it exists.
pub(super) fn resolve(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = path.ancestors().find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    match existing {
        Some((ancestor, resolved)) => match path.strip_prefix(ancestor) {
            // Joined to nothing, the path of a file would end like that of a folder.
            Ok(rest) if rest.as_os_str().is_empty() => resolved,
            rest => resolved.join(rest.unwrap_or(Path::new(""))),
        },
        None => path,
    }
}

/// Makes the folder of a workspace's ledger, and keeps it out of version control.
fn prepare(folder: &Path) -> Done {
    let failed = |error: std::io::Error| Failure::failed(format!("`{}`: {error}", folder.display()));
    match std::fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(Failure::usage(format!("`{}` is not a folder of its own", folder.display()))),
        Err(_) => {}
    }
    std::fs::create_dir_all(folder).map_err(failed)?;
    let ignore = std::fs::OpenOptions::new().write(true).create_new(true).open(folder.join(".gitignore"));
    ignore.and_then(|mut file| file.write_all(b"*\n")).map_err(failed)
}

/// The id of a store, from its first entry.
pub(super) async fn store_id(store: &dyn LedgerStore) -> Done<StoreId> {
    let first = store.scan(Position(0), 1).await?.into_iter().next();
    let (_, genesis) = first.ok_or_else(|| Failure::from(crate::replay::ReplayError::Empty))?;
    Ok(AuthorityState::store_id(&genesis.record))
}

/// The runs of a store, the latest first, up to `limit`.
pub(super) async fn opened(store: &dyn LedgerStore, limit: usize) -> Done<Vec<(RunOpened, u64)>> {
    let authority = AuthorityState::trajectory(store_id(store).await?);
    let mut runs = Vec::new();
    let mut end = store.head(&authority).await?.map_or(0, |head| head.seq + 1);
    while end > 0 && runs.len() < limit {
        let from = end.saturating_sub(PAGE);
        let page = store.read(&authority, from, usize::try_from(end - from).unwrap_or(usize::MAX)).await?;
        for entry in page.iter().rev().filter(|entry| entry.header.known_kind() == Some(Kind::RunOpened)) {
            runs.push((entry.body::<RunOpened>().map_err(Failure::failed)?, entry.header.time_ms));
        }
        end = from;
    }
    runs.truncate(limit);
    Ok(runs)
}

/// The run that a user names: by its id, the unique start of one, or as `last`.
pub(super) async fn find(store: &dyn LedgerStore, name: &str) -> Done<TrajectoryId> {
    let hint = "`thymos runs` lists them; a unique start of an id and `last` will do";
    if name == "last" {
        return last(store).await?.ok_or_else(|| Failure::usage("no run in this ledger").hint(hint));
    }
    let digits = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let unknown = || Failure::usage(format!("no run `{}`", name.chars().take(80).collect::<String>())).hint(hint);
    if name.is_empty() || !digits {
        return Err(unknown());
    }
    let authority = AuthorityState::trajectory(store_id(store).await?);
    let found = store.trajectories(before(name).as_ref(), 3).await?;
    let mut found = found.into_iter().map(|(id, _)| id);
    let mut matching = found.by_ref().filter(|id| *id != authority && id.to_string().starts_with(name));
    match (matching.next(), matching.next()) {
        (Some(run), None) => Ok(run),
        (Some(_), Some(_)) => Err(Failure::usage(format!("`{name}` is the start of more than one run")).hint(hint)),
        (None, _) => Err(unknown()),
    }
}

/// The run that somebody started last: no child of another run.
async fn last(store: &dyn LedgerStore) -> Done<Option<TrajectoryId>> {
    let mut limit = 1;
    loop {
        let runs = opened(store, limit).await?;
        for (run, _) in runs.iter().skip(limit / 2) {
            if parent(store, &run.trajectory).await?.is_none() {
                return Ok(Some(run.trajectory));
            }
        }
        if runs.len() < limit {
            return Ok(None);
        }
        limit *= 2;
    }
}

/// The run that no other started, among a run and those above it: the one to be resumed.
pub(super) async fn top(store: &dyn LedgerStore, mut run: TrajectoryId) -> Done<TrajectoryId> {
    while let Some(above) = parent(store, &run).await? {
        run = above;
    }
    Ok(run)
}

/// The run that started another one; none of a run that somebody started.
pub(super) async fn parent(store: &dyn LedgerStore, run: &TrajectoryId) -> Done<Option<TrajectoryId>> {
    let root = store.read(run, 0, 1).await?.into_iter().next();
    let root = root.filter(|root| root.header.known_kind() == Some(Kind::Root));
    let start = root.map(|root| root.body::<RunStart>()).transpose().map_err(Failure::failed)?;
    Ok(match start.and_then(|start| start.start.from) {
        Some(Link::Delegation { trajectory, .. }) => Some(trajectory),
        _ => None,
    })
}

/// The fewest digits of an id that name it: a mistaken number must not name another entry whose id happens to start with it.
pub(super) const LEAST_DIGITS: usize = 8;

/// Which one a user names: by its seq, or by the unique start of one of its ids. `place` gives both.
pub(super) fn among<T>(items: &[T], name: &str, place: impl Fn(&T) -> (u64, Vec<String>)) -> Option<usize> {
    let named = name.trim_start_matches('#');
    let by_seq = items.iter().position(|item| named == place(item).0.to_string());
    let is_named = |item: &T| place(item).1.iter().any(|id| named.len() >= LEAST_DIGITS && id.starts_with(named));
    let mut by_id = items.iter().enumerate().filter(|(_, item)| is_named(item)).map(|(at, _)| at);
    by_seq.or_else(|| by_id.next().filter(|_| by_id.next().is_none()))
}

/// The id before all that start with these digits; none when they are zeros.
fn before(digits: &str) -> Option<TrajectoryId> {
    let mut id: TrajectoryId = format!("{digits:0<64}").parse().ok()?;
    if id == TrajectoryId::ZERO {
        return None;
    }
    for byte in id.0.iter_mut().rev() {
        let (less, borrowed) = byte.overflowing_sub(1);
        *byte = less;
        if !borrowed {
            break;
        }
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_before_a_prefix_borrows() {
        assert_eq!(before("0"), None);
        assert_eq!(before("1").unwrap().to_string(), format!("0{}", "f".repeat(63)));
        assert_eq!(before("ab").unwrap().to_string(), format!("aa{}", "f".repeat(62)));
    }

    #[test]
    fn only_what_tools_do_not_see_is_out_of_reach() {
        let reach = |path: &str| !out_of_reach("/w".as_ref(), path.as_ref());
        assert!(reach("/w/ledger.redb") && reach("/w") && reach("/w/a/b"));
        assert!(!reach("/w/.thymos/x") && !reach("/w/a/.thymos") && !reach("/x") && !reach("/wx"));
    }
}
