//! Skills on disk: `skills/NAME/VERSION.json` in the home. A version is written once and never changed.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    canon::{MAX_RECORD_BYTES, SkillHash, parse, shown},
    cli::{
        failure::{Done, Failure},
        files,
        home::{Home, make_folder},
    },
    writ::{Skill, SkillName},
};

const SUFFIX: &str = ".json";

/// The skills of a home.
pub(in crate::cli) struct Registry {
    folder: PathBuf,
}

/// A skill as a file holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Kept {
    pub(in crate::cli) definition: Skill,
    pub(in crate::cli) hash: SkillHash,
}

impl Kept {
    pub(super) fn new(definition: Skill) -> Done<Self> {
        definition.check().map_err(|fault| Failure::usage(format!("skill `{}`: {fault}", definition.reference())))?;
        let hash = definition.hash().map_err(Failure::usage)?;
        Ok(Self { definition, hash })
    }

    /// Reads a file, and hashes again what it holds.
    pub(super) fn read(path: &Path) -> Done<Self> {
        let failed = |why: String| Failure::failed(format!("skill `{}`: {why}", path.display()));
        let mut bytes = Vec::new();
        let file = File::open(path).and_then(|file| file.take(MAX_RECORD_BYTES as u64 + 1).read_to_end(&mut bytes));
        file.map_err(|error| failed(error.to_string()))?;
        let value = parse(&bytes, MAX_RECORD_BYTES).map_err(|error| failed(error.to_string()))?;
        let kept: Self = serde_json::from_value(value).map_err(|error| failed(error.to_string()))?;
        let hash = kept.definition.hash().map_err(|error| failed(error.to_string()))?;
        if hash != kept.hash {
            return Err(failed(format!("it says that its hash is {}, and it is {hash}: it was changed", kept.hash)));
        }
        kept.definition.check().map_err(|fault| failed(fault.to_string()))?;
        Ok(kept)
    }
}

impl Registry {
    pub(in crate::cli) fn of(home: &Home) -> Self {
        Self { folder: home.skills() }
    }

    /// The names of all skills, sorted.
    pub(super) fn names(&self) -> Done<Vec<SkillName>> {
        let mut names: Vec<_> = listed(&self.folder)?.iter().filter_map(|name| SkillName::new(name).ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The versions of a skill, the latest last.
    pub(super) fn versions(&self, name: &SkillName) -> Done<Vec<NonZeroU32>> {
        let files = listed(&self.folder.join(name.as_str()))?;
        let mut versions: Vec<_> = files.iter().filter_map(|file| version(file.strip_suffix(SUFFIX)?)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// The latest version of a skill, if there is any.
    pub(super) fn latest(&self, name: &SkillName) -> Done<Option<Kept>> {
        self.versions(name)?.pop().map(|version| self.load(name, version)).transpose()
    }

    /// The skill that a user names: `NAME`, of which it is the latest version, or `NAME@VERSION`.
    pub(in crate::cli) fn find(&self, text: &str) -> Done<Kept> {
        let unknown = || {
            Failure::usage(format!("no skill `{}`", shown(text)))
                .hint("`thymos skill list` shows what there is; a skill is NAME or NAME@VERSION")
        };
        let Some((name, digits)) = text.split_once('@') else {
            let name = SkillName::new(text).map_err(|_| unknown())?;
            return self.latest(&name)?.ok_or_else(unknown);
        };
        let name = SkillName::new(name).map_err(|_| unknown())?;
        let version = version(digits).filter(|version| self.versions(&name).is_ok_and(|all| all.contains(version)));
        self.load(&name, version.ok_or_else(unknown)?)
    }

    fn load(&self, name: &SkillName, version: NonZeroU32) -> Done<Kept> {
        let path = self.path(name, version);
        let kept = Kept::read(&path)?;
        if (&kept.definition.name, kept.definition.version) != (name, version) {
            let message = format!("skill `{}`: it holds {}", path.display(), kept.definition.reference());
            return Err(Failure::failed(message));
        }
        Ok(kept)
    }

    /// Keeps a version that is not there yet: whole or not at all.
    pub(super) fn keep(&self, kept: &Kept) -> Done {
        let Skill { name, version, .. } = &kept.definition;
        make_folder(&self.folder.join(name.as_str()))?;
        let text = serde_json::to_string_pretty(kept).map_err(Failure::failed)?;
        let path = self.path(name, *version);
        files::Place::File { path: path.clone(), replace: false }.write(&text).map_err(|failure| match path.exists() {
            true => Failure::usage(format!("there is a skill `{}` already", kept.definition.reference())),
            false => failure,
        })
    }

    fn path(&self, name: &SkillName, version: NonZeroU32) -> PathBuf {
        self.folder.join(name.as_str()).join(format!("{version}{SUFFIX}"))
    }
}

/// A version in digits, as it is written.
fn version(digits: &str) -> Option<NonZeroU32> {
    digits.parse::<NonZeroU32>().ok().filter(|version| version.to_string() == digits)
}

/// The names in a folder; none where it is not there.
fn listed(folder: &Path) -> Done<Vec<String>> {
    let unreadable = |error| Failure::failed(format!("reading `{}`: {error}", folder.display()));
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(vec![]),
        entries => entries.map_err(unreadable)?,
    };
    let name = |entry: std::io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().into_string());
    let names = entries.map(name).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    Ok(names.into_iter().filter_map(Result::ok).collect())
}
