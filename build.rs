//! Tells the `thymos` command which revision it is built from.

use std::{env, fs, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=THYMOS_GIT_SHA");
    // Only the command tells its revision: a library build asks nobody.
    if env::var_os("CARGO_FEATURE_CLI").is_some() {
        let sha = given().or_else(packaged).or_else(checked_out).unwrap_or_else(|| "unknown".into());
        println!("cargo::rustc-env=THYMOS_GIT_SHA={sha}");
    }
}

fn given() -> Option<String> {
    env::var("THYMOS_GIT_SHA").ok().filter(|sha| is_word(sha))
}

/// The revision that `cargo package` notes down.
fn packaged() -> Option<String> {
    let noted = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let sha = noted.split_once("\"sha1\"")?.1.split('"').nth(1)?.get(..12)?;
    is_word(sha).then(|| sha.to_owned())
}

/// The revision of the checkout, unless the sources only lie below somebody else's.
fn checked_out() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    for (what, file) in
        [("--absolute-git-dir", "HEAD"), ("--git-common-dir", "refs"), ("--git-common-dir", "packed-refs")]
    {
        let watched = Path::new(&git(&["rev-parse", what])?).join(file);
        if watched.exists() {
            println!("cargo::rerun-if-changed={}", watched.display());
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"]).filter(|sha| is_word(sha))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn is_word(sha: &str) -> bool {
    !sha.is_empty() && sha.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
