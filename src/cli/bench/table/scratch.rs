use std::{
    fs::{self, DirBuilder},
    path::{Path, PathBuf},
};

use super::Failed;
use crate::{
    canon::Salt,
    host::{Entropy, SystemEntropy},
};

/// A new folder that only the owner may look into, and that is removed with all that is in it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one in `folder`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn below(folder: &Path) -> Result<Self, Failed> {
        let mut name = Salt([0; 16]);
        SystemEntropy.fill(&mut name.0)?;
        let path = folder.join(format!("thymos-bench-{name}"));
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|error| format!("`{}`: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
