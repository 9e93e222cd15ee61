//! A folder with a workspace and a home, and the command at work in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

pub struct Host {
    pub folder: TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Host {
    /// A small project, and no keys yet.
    pub fn new() -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap() };
        let source = host.workspace().join("src");
        fs::create_dir_all(&source).unwrap();
        fs::write(host.workspace().join("Cargo.toml"), "[package]\nname = \"demo\"\nversion = \"1.2.3\"\n").unwrap();
        fs::write(host.workspace().join("README.md"), "# Demo\n\nIt counts größen.\n").unwrap();
        fs::write(source.join("lib.rs"), "//! Demo.\npub fn count() -> u32 {\n    7\n}\n").unwrap();
        host
    }

    pub fn workspace(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub fn ledger(&self) -> PathBuf {
        self.workspace().join(".thymos/ledger.redb")
    }

    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thymos"));
        command.args(arguments).current_dir(self.workspace()).env("THYMOS_HOME", self.home()).stdin(Stdio::null());
        command
    }

    pub fn thymos(&self, arguments: &[&str]) -> Ran {
        Ran::new(self.command(arguments).output().unwrap())
    }

    /// Runs a command that has to succeed, and returns what it printed.
    pub fn good(&self, arguments: &[&str]) -> String {
        let ran = self.thymos(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:#?}");
        ran.out
    }

    /// A run of a script under a writ that grants everything up to Write.
    pub fn play(&self, script: &str) -> String {
        let script = self.file("script.json", script);
        self.good(&["run", "a task", "--script", &script, "--scopes", "*", "--effects", "write"])
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.good(arguments)).unwrap()
    }
}

impl Ran {
    pub fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the command prints text");
        let ran = Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!ran.err.contains("panicked"), "{ran:#?}");
        ran
    }

    /// It was wrong usage: code 2, said on standard error, with a way out.
    #[track_caller]
    pub fn is_usage(&self, about: &str) {
        assert_eq!(self.code, Some(2), "{self:#?}");
        assert!(self.tells_an_error() && self.err.contains(about), "{self:#?}");
    }

    /// It failed: code 1, and both outputs together say why.
    #[track_caller]
    pub fn is_failure(&self, about: &str) {
        assert_eq!(self.code, Some(1), "{self:#?}");
        assert!(self.tells_an_error() && format!("{}{}", self.out, self.err).contains(about), "{self:#?}");
    }

    fn tells_an_error(&self) -> bool {
        self.err.lines().any(|line| line.starts_with("error: "))
    }
}

/// Everything below a folder.
pub fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        }
        found.push(path);
    }
    found
}
