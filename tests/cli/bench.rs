//! `thymos bench`: what it tells, and that it leaves nothing behind.

use std::fs;

use serde_json::Value;

use crate::host::{Host, tree};

/// A folder for the ledgers of a measurement.
fn folder(host: &Host) -> String {
    let folder = host.path("ledgers");
    fs::create_dir(&folder).unwrap();
    folder
}

#[test]
fn every_figure_stands_beside_its_floor_and_its_target() {
    let host = Host::new();
    let folder = folder(&host);
    let before = tree(host.folder.path());
    let told = host.json(&["bench", "writ", "--json", "--dir", &folder]);
    let rows = told["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let number = |name: &str| row[name].as_f64().unwrap();
        assert!(number("figure") > 0.0 && number("floor") > 0.0, "{row}");
        assert!((number("figure") / number("floor") - number("ratio")).abs() < 1e-6, "{row}");
        let (limit, of) = (row["target"]["at_most"].as_f64().unwrap(), row["target"]["of"].as_str().unwrap());
        assert_eq!(row["met"], Value::from(number(of) <= limit), "{row}");
    }
    for condition in ["processor", "system", "openthymos", "ledgers"] {
        assert!(told["conditions"][condition].as_str().is_some_and(|told| !told.is_empty()), "{told}");
    }
    let text = host.good(&["bench", "command", "--dir", &folder]);
    for word in ["figure", "floor", "ratio", "target", "`thymos`, cold start"] {
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(tree(host.folder.path()), before, "nothing is left, and no keys are made");
}

#[test]
fn figures_that_there_are_not_are_wrong_usage() {
    let host = Host::new();
    let folder = folder(&host);
    host.thymos(&["bench", "speed", "--dir", &folder]).is_usage("there are compile, call, flat");
    host.thymos(&["bench", "writ", "--dir", "nowhere"]).is_usage("nowhere");
    assert!(host.good(&["bench", "core", "--dir", &folder]).contains("cargo bench --bench table -- core"));
    assert_eq!(tree(folder.as_ref()).len(), 0);
}

#[cfg(unix)]
#[test]
fn an_interrupted_measurement_removes_what_it_wrote() {
    use std::{process::Command, thread, time::Duration};

    let host = Host::new();
    let folder = folder(&host);
    let mut bench = host.command(&["bench", "durable", "--dir", &folder]);
    let mut bench = bench.stdout(std::process::Stdio::null()).spawn().unwrap();
    while !tree(folder.as_ref()).iter().any(|path| path.extension().is_some_and(|kind| kind == "redb")) {
        assert_eq!(bench.try_wait().unwrap(), None, "it ended before it wrote a ledger");
        thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-INT", &bench.id().to_string()]).status().unwrap().success());
    assert_eq!(bench.wait().unwrap().code(), Some(130));
    assert_eq!(tree(folder.as_ref()).len(), 0);
}
