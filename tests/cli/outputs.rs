//! `-o`: a file is written whole, and nothing is lost to it.

use std::{fs, path::Path};

use crate::host::{Host, Ran, tree};

const ISSUE: [&str; 6] = ["writ", "issue", "--to", "agent", "--store", "any"];

/// Every command that writes a file, at work on `path`.
fn all(host: &Host, path: &str, more: &[&str]) -> Vec<Ran> {
    let bundle = host.file("house.json", r#"{"name":"house","version":"1","rules":[]}"#);
    let above = host.path("above.json");
    let mint = ["writ", "mint", &above, "--key", "agent", "--to", "root"];
    let commands: [&[&str]; 4] = [&["export", "last"], &ISSUE, &mint, &["policy", "sign", &bundle]];
    commands.into_iter().map(|command| host.thymos(&[command, &["-o", path], more].concat())).collect()
}

fn ready() -> Host {
    let host = Host::new();
    host.good(&["run", "a"]);
    host.good(&[&ISSUE[..], &["--depth", "1", "-o", &host.path("above.json")]].concat());
    host
}

/// The content of every file, but for the files that the tests themselves write.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = tree(folder).into_iter().filter(|path| path.is_file()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_file_that_exists_is_replaced_only_with_force() {
    let host = ready();
    let path = host.file("mine.txt", "mine");
    for ran in all(&host, &path, &[]) {
        ran.is_usage("exists");
        assert!(ran.err.contains("--force"), "{ran:#?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
    for ran in all(&host, &path, &["--force"]) {
        assert_eq!(ran.code, Some(0), "{ran:#?}");
    }
    assert!(fs::read_to_string(&path).unwrap().contains("\"house\""), "the last one is there");
    host.thymos(&["export", "last", "--force"]).is_usage("--output");
    assert!(!tree(host.folder.path()).iter().any(|path| path.to_string_lossy().ends_with(".new")));
}

#[test]
fn no_force_replaces_ledgers_keys_or_what_is_in_their_folders() {
    let host = ready();
    fs::write(host.workspace().join(".thymos/notes"), "mine").unwrap();
    let other = host.path("other.redb");
    fs::copy(host.ledger(), &other).unwrap();
    let home = |name: &str| host.home().join(name).to_str().unwrap().to_owned();
    let relative = "src/../.thymos/ledger.redb".to_owned();
    let places = [".thymos/ledger.redb".into(), relative, ".thymos/notes".into(), other, home("keys/root.key")];
    let before = (contents(&host.home()), contents(&host.workspace()));
    for path in places.into_iter().chain([home("trust.json"), home("keys/new.key")]) {
        for ran in all(&host, &path, &["--force"]).into_iter().chain(all(&host, &path, &[])) {
            ran.is_usage("");
            assert!(ran.err.contains("hint: "), "{ran:#?}");
        }
        assert!((contents(&host.home()), contents(&host.workspace())) == before, "{path}");
    }
    host.good(&["replay", "--all"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_not_replaced() {
    use std::os::unix::fs::symlink;
    let host = ready();
    let (link, target) = (host.path("link"), host.file("target", "mine"));
    symlink(&target, &link).unwrap();
    all(&host, &link, &[]).iter().for_each(|ran| ran.is_usage("exists"));
    all(&host, &link, &["--force"]).iter().for_each(|ran| assert_eq!(ran.code, Some(0), "{ran:#?}"));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink() && fs::read_to_string(&target).unwrap() != "mine");
    fs::remove_file(&link).unwrap();
    for protected in [host.ledger(), host.home().join("keys/root.key")] {
        let before = fs::read(&protected).unwrap();
        symlink(&protected, &link).unwrap();
        all(&host, &link, &["--force"]).iter().for_each(|ran| ran.is_usage(""));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink() && fs::read(&protected).unwrap() == before);
        fs::remove_file(&link).unwrap();
    }
    symlink(host.path("nothing"), &link).unwrap();
    all(&host, &link, &["--force"]).iter().for_each(|ran| ran.is_usage("link to nothing"));
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_and_devices_are_written_through() {
    use std::{os::unix::fs::FileTypeExt, process::Command};
    let host = ready();
    // Named by links in a folder of the test and in /proc, where no file can be made: a failure must not harm the machine.
    let (null, stdout) = (host.path("null"), host.path("stdout"));
    std::os::unix::fs::symlink("/dev/null", &null).unwrap();
    std::os::unix::fs::symlink("/proc/self/fd/1", &stdout).unwrap();
    for path in [&stdout, "/proc/self/fd/1"] {
        for ran in all(&host, path, &[]) {
            assert!(ran.code == Some(0) && ran.out.contains('{') && ran.out.ends_with('\n'), "{ran:#?}");
        }
    }
    all(&host, &null, &[]).iter().for_each(|ran| assert_eq!(ran.code, Some(0), "{ran:#?}"));
    assert!([&null, &stdout].iter().all(|link| fs::symlink_metadata(link).unwrap().is_symlink()));
    let pipe = host.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    host.good(&["export", "last", "-o", &pipe]);
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    let piped = reader.join().unwrap();
    assert!(!piped.is_empty());
    let file = host.file("piped.ndjson", piped);
    host.good(&["replay", "--file", &file, "--verify"]);
}
