use serde_json::{Value, json};

use super::{failure::Done, home::Home, out::Out, rotate};
use crate::crypto::Role;

/// Make, list and replace keys
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    New(New),
    List(List),
    Rotate(rotate::Args),
}

/// Make a key; one that is there is never replaced
#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// Its name: letters, digits, `-` and `_`
    name: String,
}

/// List keys with their roles
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> Done {
    if let Command::Rotate(args) = command {
        return rotate::run(args);
    }
    let home = Home::locate()?;
    let mut out = Out::new();
    match command {
        Command::New(args) => out.line(home.make(&args.name)?),
        Command::List(args) => list(&home, &mut out, args.json)?,
        Command::Rotate(_) => {}
    }
    out.finish()
}

fn list(home: &Home, out: &mut Out, json: bool) -> Done {
    let trust = home.trust()?;
    let mut keys = Vec::new();
    for name in home.names()? {
        let key = home.secret(&name)?.public_key();
        let roles = trust.iter().filter(|trusted| trusted.key == key).flat_map(|trusted| trusted.roles.clone());
        keys.push((name, key, roles.collect::<Vec<Role>>(), true));
    }
    for trusted in
        trust.iter().filter(|trusted| !keys.iter().any(|(_, key, ..)| *key == trusted.key)).cloned().collect::<Vec<_>>()
    {
        keys.push((trusted.name, trusted.key, trusted.roles, false));
    }
    if json {
        let key = |(name, key, roles, held): &(_, _, _, bool)| json!({"name": name, "key": key, "roles": roles, "secret": held});
        out.json(&keys.iter().map(key).collect::<Value>());
        return Ok(());
    }
    let row = |(name, key, roles, held): &(String, crate::crypto::PublicKey, Vec<Role>, bool)| {
        let mut words: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
        if !held {
            words.push("(public key only)");
        }
        vec![super::style::plain(name), key.to_string(), words.join(", ")]
    };
    out.table(&["NAME", "PUBLIC KEY", "ROLES"], &keys.iter().map(row).collect::<Vec<_>>());
    Ok(())
}
