//! What goes and what stays, on texts and on JSON. Each line of `goes.txt` is a rule and a text in which «…» is the secret;
//! the dots in it keep scanners for secrets from finding any in this repository.

use openthymos::redact::{Redactor, Rule, placeholders};
use proptest::prelude::*;
use serde_json::Value;

struct Case {
    rule: &'static str,
    before: String,
    secret: String,
    after: String,
}

impl Case {
    fn text(&self) -> String {
        format!("{}{}{}", self.before, self.secret, self.after)
    }
}

fn goes() -> Vec<Case> {
    let whole = |text: &str| text.replace('·', "").replace("\\n", "\n").replace("\\\\", "\\");
    let case = |line: &'static str| {
        let (rule, text) = line.split_once('\t').unwrap();
        let (before, rest) = text.split_once('«').unwrap();
        let (secret, after) = rest.split_once('»').unwrap();
        Case { rule, before: whole(before), secret: whole(secret), after: whole(after) }
    };
    include_str!("goes.txt").lines().map(case).collect()
}

fn stays() -> impl Iterator<Item = &'static str> {
    include_str!("stays.txt").lines()
}

#[test]
fn what_is_secret_goes_and_all_around_it_stays() {
    let redactor = Redactor::default();
    let cases = goes();
    assert!(cases.len() >= 60);
    for case in cases {
        let text = case.text();
        let (redacted, found) = redactor.text(&text);
        let found: Vec<_> = found.iter().collect();
        assert_eq!(found.len(), 1, "{text}\n{redacted}");
        assert_eq!(found[0].plaintext.expose(), case.secret, "{text}");
        assert_eq!(&*found[0].rule, case.rule, "{text}");
        assert_eq!(redacted, format!("{}{}{}", case.before, found[0].placeholder, case.after));
    }
}

#[test]
fn what_is_no_secret_stays_to_the_byte() {
    let redactor = Redactor::default();
    assert!(stays().count() >= 60);
    for text in stays() {
        let (redacted, found) = redactor.text(text);
        assert!(found.is_empty(), "{text}\n{redacted}");
        assert_eq!(redacted, text);
    }
    let all = include_str!("stays.txt");
    assert_eq!(redactor.text(all).0, all);
}

#[test]
fn what_is_secret_goes_from_inside_json_and_the_json_stays_whole() {
    let redactor = Redactor::default();
    for case in goes() {
        let mut value = serde_json::json!({ "note": [case.text(), 1], case.text(): { "more": case.text() } });
        redactor.value(&mut value).unwrap();
        let sealed = value.to_string();
        let secret = Value::from(case.secret.clone()).to_string();
        assert!(!sealed.contains(secret.trim_matches('"')), "{sealed}");
        // The same object as text: what is in it goes, and it is still the same object.
        let text = serde_json::json!({ "note": case.text(), "n": [1, { "ok": true }] }).to_string();
        let redacted = redactor.text(&text).0.into_owned();
        let read: Value = serde_json::from_str(&redacted).unwrap_or_else(|error| panic!("{error}: {redacted}"));
        assert_eq!(read["n"], serde_json::json!([1, { "ok": true }]), "{redacted}");
    }
    for text in stays() {
        if let Ok(value) = serde_json::from_str::<Value>(text) {
            let mut redacted = value.clone();
            redactor.value(&mut redacted).unwrap();
            assert_eq!(redacted, value);
        }
    }
}

#[test]
fn members_whose_whole_name_is_secret_go_whatever_they_hold() {
    let redactor = Redactor::default();
    for name in [
        "password",
        "passphrase",
        "secret",
        "client_secret",
        "clientSecret",
        "client-secret",
        "api_key",
        "apiKey",
        "access_token",
        "refreshToken",
        "auth-token",
        "private_key",
        "SECRET_KEY",
        "session_token",
        "Authorization",
    ] {
        let mut value =
            serde_json::json!({ name: "plain words", "beside": "plain words", "list": [{ name: ["a b"] }] });
        let found = redactor.value(&mut value).unwrap();
        assert_eq!(found.iter().count(), 2, "{name}");
        assert_eq!(value["beside"], "plain words");
        assert!(value[name].as_str().unwrap().starts_with("[redacted:member:"), "{value}");
        assert!(value["list"][0][name][0].as_str().unwrap().starts_with("[redacted:member:"), "{value}");
    }
    let mut value = serde_json::json!({ "db_password": "Tr0ub4dor3", "stripe_secret_key": "weak words" });
    assert_eq!(redactor.value(&mut value).unwrap().iter().count(), 1);
}

#[test]
fn equal_secrets_look_equal_to_one_redactor_and_different_to_another() {
    let (one, other) = (Redactor::default(), Redactor::default());
    let text = "postgres://app:hunter2@a postgres://app:hunter2@b";
    let redacted = one.text(text).0.into_owned();
    let found: Vec<_> = placeholders(&redacted).map(|place| &redacted[place]).collect();
    assert_eq!((found.len(), found[0]), (2, found[1]));
    assert_eq!(one.clone().text(text).0, redacted);
    assert_ne!(other.text(text).0, redacted);
}

#[test]
fn rules_can_be_added_dropped_and_left_out() {
    let rule = Rule::new("badge", ["BADGE-"], r"BADGE-[0-9]{4}").unwrap();
    let redactor = Redactor::builder().rule(rule).without("url-password").build().unwrap();
    let redacted = redactor.text("BADGE-1234 ftp://a:b@c badge-1234").0.into_owned();
    assert!(redacted.starts_with("[redacted:badge:"), "{redacted}");
    assert!(redacted.ends_with("] ftp://a:b@c badge-1234"), "{redacted}");
    assert_eq!(Redactor::none().text("ftp://a:b@c").0, "ftp://a:b@c");
    for (name, keyword, pattern) in [("No", "a", "a"), ("a", "", "a"), ("a", "a", "("), ("", "a", "a")] {
        assert!(Rule::new(name, [keyword], pattern).is_err());
    }
}

#[test]
fn what_was_found_is_not_printed() {
    let (_, found) = Redactor::default().text("postgres://app:hunter2@db");
    assert!(!format!("{found:?} {:?}", Redactor::default()).contains("hunter2"));
}

/// Texts in which secrets, names, quotes and characters of all widths meet.
fn texts() -> impl Strategy<Value = String> {
    let pieces: Vec<String> = goes()
        .iter()
        .flat_map(|case| [case.text(), case.secret.clone(), case.before.clone()])
        .chain(stays().map(str::to_owned))
        .chain(
            ["password=", "\"secret\":\"", "\\\"", "\\", "\"", "é", "🔑", "\n", " ", "=", "[redacted:", "]"]
                .map(String::from),
        )
        .collect();
    let piece = prop_oneof![3 => prop::sample::select(pieces), 1 => "\\PC{0,6}"];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redacting_twice_is_redacting_once(text in texts()) {
        let redactor = Redactor::default();
        let (once, found) = redactor.text(&text);
        prop_assert_eq!(found.is_empty(), once == text);
        let (twice, more) = redactor.text(&once);
        prop_assert!(more.is_empty(), "{}\n{}", once, twice);
        prop_assert_eq!(&twice, &once);
    }

    #[test]
    fn redacting_values_twice_is_redacting_once(a in texts(), b in texts(), name in prop::sample::select(vec!["a", "password", "db_secret"])) {
        let redactor = Redactor::default();
        let mut once = serde_json::json!({ name: [&a, { b.as_str(): &a }], "b": &b });
        redactor.value(&mut once).unwrap();
        let mut twice = once.clone();
        prop_assert!(redactor.value(&mut twice).unwrap().is_empty(), "{}\n{}", once, twice);
        prop_assert_eq!(twice, once);
    }
}
