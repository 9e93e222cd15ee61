//! The program of `docs/embedding.md` builds as a crate of its own, from the page as it stands, and does what the page says.
#![cfg(feature = "redb")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{fs, path::Path, process::Command};

const PAGE: &str = include_str!("../docs/embedding.md");

fn block(language: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_page_is_a_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().unwrap();
    let manifest = block("toml").replace("../openthymos", root.to_str().unwrap());
    fs::create_dir(dir.path().join("src")).unwrap();
    fs::write(dir.path().join("Cargo.toml"), manifest + "\n[workspace]\n").unwrap();
    fs::write(dir.path().join("src/main.rs"), block("rust")).unwrap();
    // The versions that were tested are the ones that are built, and nothing is fetched.
    fs::copy(root.join("Cargo.lock"), dir.path().join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--", "ledger.redb"])
        .current_dir(dir.path())
        .env("CARGO_TARGET_DIR", root.join("target/stranger"))
        .output()
        .unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    assert!(said.starts_with("committed, refused by policy\n1 commits, 1 refused: consistent"), "{said}{errors}");
    assert!(!errors.contains("warning"), "{errors}");
}
