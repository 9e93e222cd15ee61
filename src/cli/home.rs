//! `$THYMOS_HOME`: keys, roots of trust and skills, where no agent reads.

mod rotation;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use anstream::eprintln;
use serde::{Deserialize, Serialize};

use super::failure::{Done, Failure};
use crate::crypto::{NamedKey, PublicKey, Role, SecretKey, Trust};

/// The key that issues writs and policies.
pub(super) const ROOT: &str = "root";
/// The key that signs entries.
pub(super) const RUNTIME: &str = "runtime";
/// The key under which agents act.
pub(super) const AGENT: &str = "agent";

const KEYS: &str = "keys";
const SKILLS: &str = "skills";
const TRUST: &str = "trust.json";
const SUFFIX: &str = "key";

/// The folder of keys, roots of trust and skills.
#[derive(Debug, Clone)]
pub(super) struct Home {
    root: PathBuf,
}

/// A root of trust: whose key, and what it may do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trusted {
    pub(super) key: PublicKey,
    pub(super) name: String,
    pub(super) roles: Vec<Role>,
}

/// An earlier key of a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replaced {
    pub(super) key: PublicKey,
    pub(super) compromised: bool,
}

/// A key that was replaced, and the one that took over its roles.
pub(super) struct Rotated {
    pub(super) old: PublicKey,
    pub(super) new: SecretKey,
    pub(super) roles: Vec<Role>,
}

impl Home {
    /// Where it is; it need not exist.
    pub(super) fn locate() -> Done<Self> {
        let given = std::env::var_os("THYMOS_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
        let root = given.or_else(|| Some(std::env::home_dir()?.join(".thymos")));
        let root = root.ok_or_else(|| Failure::usage("no home directory: set THYMOS_HOME to a folder for the keys"))?;
        let root = std::path::absolute(&root).map_err(|error| unreadable(&root, &error))?;
        Ok(Self { root })
    }

    pub(super) fn path(&self) -> &Path {
        &self.root
    }

    /// Where skills are kept.
    pub(super) fn skills(&self) -> PathBuf {
        self.root.join(SKILLS)
    }

    fn keys(&self) -> PathBuf {
        self.root.join(KEYS)
    }

    /// Whether keys were made here.
    pub(super) fn exists(&self) -> bool {
        self.keys().exists()
    }

    /// Refuses a folder that others can look into, and one without keys.
    pub(super) fn check(&self) -> Done {
        if !self.exists() {
            let hint = "`thymos run` makes them when it is run for the first time, and `thymos keys new` on its own";
            return Err(Failure::usage(format!("no keys in `{}`", self.root.display())).hint(hint));
        }
        check_private(&self.root, 0o700)?;
        check_private(&self.keys(), 0o700)?;
        rotation::complete(&self.keys())
    }

    /// Whether there is a secret key of this name.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.file(name).is_ok_and(|path| path.exists())
    }

    /// Replaces a key by a new one, in its roles too, all or nothing; the old secret is kept aside.
    pub(super) fn rotate(&self, name: &str, compromised: bool) -> Done<Rotated> {
        self.check()?;
        let mut trust = self.trust()?;
        let old = if self.holds(name) { Some(self.secret(name)?.public_key()) } else { None };
        let known = || trust.iter().find(|trusted| trusted.name == name).map(|trusted| trusted.key);
        let old = old.or_else(known).ok_or_else(|| self.missing(name))?;
        let new = SecretKey::generate().map_err(Failure::failed)?;
        let mut roles = Vec::new();
        for trusted in trust.iter_mut().filter(|trusted| trusted.key == old) {
            roles.extend(trusted.roles.iter().copied());
            trusted.key = new.public_key();
        }
        rotation::write(&self.keys(), &rotation::Pending::new(name, compromised, old, &new, trust))?;
        rotation::complete(&self.keys())?;
        Ok(Rotated { old, new, roles })
    }

    /// The earlier keys of a name.
    pub(super) fn replaced(&self, name: &str) -> Done<Vec<Replaced>> {
        if self.exists() { self.check().and_then(|()| rotation::replaced(&self.keys(), name)) } else { Ok(vec![]) }
    }

    /// The secret of an earlier key.
    pub(super) fn replaced_secret(&self, name: &str, replaced: &Replaced) -> Done<SecretKey> {
        read_secret(&rotation::place(&self.keys(), name, &replaced.key, replaced.compromised))
    }

    /// Makes the keys that are needed when there is none yet, and says so. Keys that are there stay as they are.
    pub(super) fn ensure(&self) -> Done {
        if self.exists() {
            return self.check();
        }
        make_folder(&self.root)?;
        check_private(&self.root, 0o700)?;
        // All or nothing: the folder gets its name once every key is in it.
        let unnamed = self.root.join(format!("{KEYS}.{}.new", std::process::id()));
        make_folder(&unnamed)?;
        let named = || sync(&unnamed).and_then(|()| fs::rename(&unnamed, self.keys())).and_then(|()| sync(&self.root));
        let made = fill(&unnamed).and_then(|()| named().map_err(|error| unwritable(&self.keys(), &error)));
        if made.is_err() {
            drop(fs::remove_dir_all(&unnamed));
            // Another process may have been first; its keys are as good.
            return if self.exists() { self.check() } else { made };
        }
        eprintln!(
            "made keys in {}: root issues writs and policies, runtime signs entries, agent acts",
            self.keys().display()
        );
        Ok(())
    }

    /// A secret key by name.
    pub(super) fn secret(&self, name: &str) -> Done<SecretKey> {
        self.check()?;
        let path = self.file(name)?;
        check_private(&path, 0o600).map_err(|failure| match path.exists() {
            true => failure,
            false => self.missing(name),
        })?;
        read_secret(&path)
    }

    /// A public key: 64 hex digits, or the name of a key that is here.
    pub(super) fn public(&self, text: &str) -> Done<NamedKey> {
        if text.len() == 64 {
            let key: PublicKey = text.parse().map_err(Failure::usage)?;
            let known = self.trust().ok().and_then(|trust| trust.into_iter().find(|trusted| trusted.key == key));
            return Ok(NamedKey::new(known.map_or_else(|| key.id().short(), |trusted| trusted.name), key));
        }
        Ok(NamedKey::new(text, self.secret(text)?.public_key()))
    }

    /// Makes a key. One of that name must not exist.
    pub(super) fn make(&self, name: &str) -> Done<PublicKey> {
        self.ensure()?;
        let path = self.file(name)?;
        if path.exists() {
            return Err(Failure::usage(format!("there is a key `{name}` already"))
                .hint(format_args!("`thymos keys rotate {name}` replaces it")));
        }
        let key = SecretKey::generate().map_err(Failure::failed)?;
        write_private(&path, key.to_hex().as_bytes())?;
        Ok(key.public_key())
    }

    /// The names of all keys, sorted.
    pub(super) fn names(&self) -> Done<Vec<String>> {
        self.check()?;
        let keys = self.keys();
        let mut names = Vec::new();
        for file in fs::read_dir(&keys).map_err(|error| unreadable(&keys, &error))? {
            let path = file.map_err(|error| unreadable(&keys, &error))?.path();
            if path.extension().is_some_and(|suffix| suffix == SUFFIX) {
                names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The roots of trust.
    pub(super) fn trust(&self) -> Done<Vec<Trusted>> {
        self.check()?;
        let path = self.keys().join(TRUST);
        check_private(&path, 0o600)?;
        let text = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        serde_json::from_slice(&text).map_err(|error| Failure::failed(format!("`{}`: {error}", path.display())))
    }

    /// The roots of trust, to be asked.
    pub(super) fn roots(&self) -> Done<Trust> {
        let mut roots = Trust::default();
        for trusted in self.trust()? {
            trusted.roles.iter().for_each(|role| roots.add(trusted.key, *role));
        }
        Ok(roots)
    }

    fn file(&self, name: &str) -> Done<PathBuf> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > 60 || !name.bytes().all(fits) {
            let name = name.chars().take(80).collect::<String>();
            return Err(Failure::usage(format!("`{name}` is no name for a key: expected 1 to 60 of A-Z a-z 0-9 _ -")));
        }
        Ok(self.keys().join(format!("{name}.{SUFFIX}")))
    }

    fn missing(&self, name: &str) -> Failure {
        let hint = match name {
            RUNTIME => "restore it from a backup, or have the root replace it: `thymos keys rotate runtime`".into(),
            ROOT | AGENT => "restore it from a backup: writs are bound to it".into(),
            _ => format!("`thymos keys list` shows what is there, `thymos keys new {name}` makes one"),
        };
        Failure::usage(format!("no key `{name}` in `{}`", self.keys().display())).hint(hint)
    }
}

/// The keys of a new home, and who is trusted with what.
fn fill(folder: &Path) -> Done {
    let mut trusted = Vec::new();
    for (name, roles) in [
        (ROOT, vec![Role::WritIssuer, Role::PolicyIssuer, Role::Approver]),
        (RUNTIME, vec![Role::Runtime]),
        (AGENT, vec![]),
    ] {
        let key = SecretKey::generate().map_err(Failure::failed)?;
        write_private(&folder.join(format!("{name}.{SUFFIX}")), key.to_hex().as_bytes())?;
        if !roles.is_empty() {
            trusted.push(Trusted { key: key.public_key(), name: name.into(), roles });
        }
    }
    let trusted = serde_json::to_vec_pretty(&trusted).map_err(Failure::failed)?;
    write_private(&folder.join(TRUST), &trusted)
}

fn read_secret(path: &Path) -> Done<SecretKey> {
    check_private(path, 0o600)?;
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    SecretKey::from_hex(&text).map_err(|error| Failure::failed(format!("key file `{}`: {error}", path.display())))
}

/// Makes a folder that only its owner reaches, and those above it.
pub(super) fn make_folder(path: &Path) -> Done {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| unwritable(path, &error))
}

/// Makes the names in a folder durable; elsewhere than on Unix a folder cannot be synced and need not be.
fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn write_private(path: &Path, bytes: &[u8]) -> Done {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = |mut file: File| {
        file.write_all(bytes)?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    options.open(path).and_then(write).map_err(|error| unwritable(path, &error))
}

/// Refuses what others than the owner may read or change.
fn check_private(path: &Path, wanted: u32) -> Done {
    let found = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            let path = path.display();
            let message =
                format!("`{path}` can be reached by others than its owner (mode {mode:o}), and keys must not be");
            return Err(Failure::failed(message).hint(format_args!("chmod {wanted:o} '{path}'")));
        }
    }
    #[cfg(not(unix))]
    let _ = (found, wanted);
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::failed(format!("reading `{}`: {error}", path.display()));
    if error.kind() == ErrorKind::NotFound { failure.hint("restore it from a backup") } else { failure }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("writing `{}`: {error}", path.display()))
}
