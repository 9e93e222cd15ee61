//! Replacing a key file and the roots of trust together. What is to be done is written down first, in one file that appears
//! whole; whoever finds it, after a crash too, does it to the end.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Replaced, SUFFIX, TRUST, Trusted, make_folder, read_secret, sync, unreadable, unwritable, write_private};
use crate::{
    cli::failure::{Done, Failure},
    crypto::{PublicKey, SecretKey},
};

const PENDING: &str = "rotation.json";
const FOLDER: &str = "replaced";
const COMPROMISED: &str = "compromised";

/// A rotation that is under way.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    compromised: bool,
    name: String,
    old: PublicKey,
    secret: Secret,
    trust: Vec<Trusted>,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Pending {
    pub(super) fn new(name: &str, compromised: bool, old: PublicKey, new: &SecretKey, trust: Vec<Trusted>) -> Self {
        Self { compromised, name: name.into(), old, secret: Secret(new.to_hex().to_string()), trust }
    }
}

/// Writes down what is to be done. From then on it is done.
pub(super) fn write(keys: &Path, pending: &Pending) -> Done {
    let bytes = Zeroizing::new(serde_json::to_vec(pending).map_err(Failure::failed)?);
    place_whole(&keys.join(PENDING), &bytes)
}

/// Does what was written down and not done to the end.
pub(super) fn complete(keys: &Path) -> Done {
    let path = keys.join(PENDING);
    if !path.exists() {
        return Ok(());
    }
    let bytes = Zeroizing::new(fs::read(&path).map_err(|error| unreadable(&path, &error))?);
    let pending: Pending =
        serde_json::from_slice(&bytes).map_err(|error| Failure::failed(format!("`{}`: {error}", path.display())))?;
    let key = keys.join(format!("{}.{SUFFIX}", pending.name));
    if key.exists() {
        let present = read_secret(&key)?;
        if present.public_key() == pending.old {
            make_folder(&keys.join(FOLDER))?;
            let aside = self::place(keys, &pending.name, &pending.old, pending.compromised);
            place_whole(&aside, present.to_hex().as_bytes())?;
        }
    }
    place_whole(&key, pending.secret.0.as_bytes())?;
    place_whole(&keys.join(TRUST), &serde_json::to_vec_pretty(&pending.trust).map_err(Failure::failed)?)?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unwritable(&path, &error)),
        _ => sync(keys).map_err(|error| unwritable(keys, &error)),
    }
}

/// The earlier keys of a name.
pub(super) fn replaced(keys: &Path, name: &str) -> Done<Vec<Replaced>> {
    let folder = keys.join(FOLDER);
    if !folder.exists() {
        return Ok(vec![]);
    }
    let mut found = Vec::new();
    for file in fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
        let file = file.map_err(|error| unreadable(&folder, &error))?.file_name();
        let file = file.to_string_lossy();
        let parts: Vec<_> = file.split('.').collect();
        if let [of, key, kind @ (SUFFIX | COMPROMISED)] = parts.as_slice()
            && *of == name
            && let Ok(key) = key.parse()
        {
            found.push(Replaced { key, compromised: *kind == COMPROMISED });
        }
    }
    Ok(found)
}

/// Where the secret of an earlier key is.
pub(super) fn place(keys: &Path, name: &str, key: &PublicKey, compromised: bool) -> PathBuf {
    let suffix = if compromised { COMPROMISED } else { SUFFIX };
    keys.join(FOLDER).join(format!("{name}.{key}.{suffix}"))
}

/// Writes beside a file and gives the bytes its name when they are whole and durable.
fn place_whole(path: &Path, bytes: &[u8]) -> Done {
    let mut unnamed = path.as_os_str().to_owned();
    unnamed.push(format!(".{}.new", std::process::id()));
    let unnamed = PathBuf::from(unnamed);
    // One that an earlier process of the same number left.
    drop(fs::remove_file(&unnamed));
    write_private(&unnamed, bytes)?;
    let folder = path.parent().unwrap_or(path);
    let named = fs::rename(&unnamed, path).and_then(|()| sync(folder));
    named.map_err(|error| unwritable(path, &error))
}
