//! Keys stay where no agent reads, and nobody else.

use std::fs;

use crate::host::{Host, tree};

#[test]
fn keys_are_made_once_and_kept() {
    let host = Host::new();
    assert!(host.thymos(&["run", "a"]).err.contains("made keys in"));
    let list = host.good(&["keys", "list"]);
    assert!(!host.thymos(&["run", "a"]).err.contains("made keys in"));
    assert_eq!(host.good(&["keys", "list"]), list);
    for said in ["root ", "runtime ", "agent ", "writ_issuer, policy_issuer"] {
        assert!(list.contains(said), "{list}");
    }
    let made = host.good(&["keys", "new", "helper"]);
    assert!(host.good(&["keys", "list"]).contains(made.trim_end()));
    host.thymos(&["keys", "new", "helper"]).is_usage("already");
    host.thymos(&["keys", "new", "../helper"]).is_usage("no name for a key");
    fs::remove_file(host.home().join("keys/runtime.key")).unwrap();
    let ran = host.thymos(&["run", "a"]);
    ran.is_usage("no key `runtime`");
    assert!(ran.err.contains("hint: "), "{ran:#?}");
}

#[cfg(unix)]
#[test]
fn others_than_the_owner_are_kept_out() {
    use std::os::unix::fs::PermissionsExt;
    let host = Host::new();
    host.good(&["run", "a"]);
    let set = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for path in [vec![host.home()], tree(&host.home())].concat() {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, wanted, "{path:?}");
        // The key of the agent is read by runs, the key of nobody is not.
        set(&path, wanted | 0o040);
        let ran = host.thymos(&["run", "a"]);
        ran.is_failure("can be reached by others");
        assert!(ran.err.contains("hint: chmod "), "{ran:#?}");
        set(&path, wanted);
    }
    host.good(&["run", "a"]);
}

#[test]
fn no_secret_is_in_the_workspace_and_no_tool_reaches_one() {
    let host = Host::new();
    host.good(&["run", "a"]);
    let secret = fs::read_to_string(host.home().join("keys/root.key")).unwrap();
    let out = host.play(
        r#"[[{"tool":"fs_read","args":{"path":".thymos/ledger.redb"}},{"tool":"fs_read","args":{"path":"../home/keys/root.key"}},
            {"tool":"fs_write","args":{"path":".thymos/ledger.redb","content":""}},{"tool":"list_files","args":{"path":".thymos"}},
            {"tool":"grep","args":{"pattern":"[0-9a-f]{64}"}}]]"#,
    );
    assert!(out.contains("1 committed, ") && out.contains("done"), "{out}");
    for path in tree(&host.workspace()).iter().filter(|path| path.is_file()) {
        let bytes = fs::read(path).unwrap();
        let found = bytes.windows(64).any(|window| window == secret.trim_end().as_bytes());
        assert!(!found, "{path:?}");
    }
    host.good(&["replay", "last", "--verify"]);
}

#[test]
fn a_workspace_that_holds_keys_or_ledgers_is_refused_before_anything_is_made() {
    let host = Host::new();
    let folder = host.folder.path().to_str().unwrap();
    for workspace in [folder, &host.path("home")] {
        fs::create_dir_all(host.home()).unwrap();
        let ran = host.thymos(&["run", "a", "--workspace", workspace]);
        ran.is_usage("the agent could read the keys");
    }
    host.thymos(&["run", "a", "--ledger", "here.redb"]).is_usage("the agent could read the ledger");
    fs::create_dir_all(host.workspace().join(".thymos/below")).unwrap();
    host.thymos(&["run", "a", "--workspace", ".thymos/below"]).is_usage("lies in a `.thymos` folder");
    assert!(tree(&host.home()).is_empty() && !host.ledger().exists());
}
