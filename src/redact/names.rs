/// Names whose values are secret, written together.
const SENSITIVE: &[&str] = &[
    "accesstoken",
    "accountkey",
    "apikey",
    "apisecret",
    "apitoken",
    "appsecret",
    "authorization",
    "authtoken",
    "bearertoken",
    "bottoken",
    "clientsecret",
    "consumersecret",
    "encryptionkey",
    "idtoken",
    "masterkey",
    "passphrase",
    "passwd",
    "password",
    "personalaccesstoken",
    "privatekey",
    "pwd",
    "refreshtoken",
    "secret",
    "secretaccesskey",
    "secretkey",
    "sessiontoken",
    "sharedaccesskey",
    "signingkey",
    "signingsecret",
    "webhooksecret",
];

/// Their last two letters.
const ENDS: [&[u8; 2]; 7] = [b"en", b"ey", b"et", b"on", b"se", b"wd", b"rd"];

/// How many letters the longest of them has.
const LONGEST: usize = 19;

/// What a name says about the value that it is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// The whole name is that of a secret, such as `clientSecret`.
    Whole,
    /// Its last words are, such as `db_password`.
    Ending,
}

/// Judges a name word by word, whether it is written as `snake_case`, `kebab-case` or `camelCase`.
pub(super) fn naming(name: &str) -> Option<Naming> {
    // No longer name ends in a sensitive one by anything but chance.
    if name.len() > 256 || !may_be_sensitive(name) { None } else { judged(name) }
}

fn judged(name: &str) -> Option<Naming> {
    let words = words(name);
    let mut tail = String::new();
    let mut found = None;
    for (index, word) in words.iter().enumerate().rev() {
        tail.insert_str(0, word);
        if SENSITIVE.binary_search(&tail.as_str()).is_ok() {
            found = Some(if index == 0 { Naming::Whole } else { Naming::Ending });
        }
    }
    found
}

/// Whether the letters and digits of a name, run together, end in a sensitive one: its last words can only do so then. Other
/// letters than those of ASCII may become such in lower case.
fn may_be_sensitive(name: &str) -> bool {
    let letters = name.bytes().rev().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
    let mut end = [0; LONGEST];
    end.iter_mut().rev().zip(letters).for_each(|(place, letter)| *place = letter);
    let ends_so = end.last_chunk().is_some_and(|last| ENDS.contains(&last));
    !name.is_ascii() || ends_so && SENSITIVE.iter().any(|sensitive| end.ends_with(sensitive.as_bytes()))
}

/// The words of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut within = false;
    let chars: Vec<char> = name.chars().collect();
    for (index, char) in chars.iter().enumerate() {
        if !char.is_alphanumeric() {
            within = false;
            continue;
        }
        let before = index.checked_sub(1).and_then(|before| chars.get(before));
        let after = chars.get(index + 1);
        // A word begins where small letters end, and at the last capital before small letters: `HTTPServer`.
        let begins = char.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || before.is_uppercase() && after.is_some_and(|after| after.is_lowercase())
            });
        match words.last_mut() {
            Some(word) if within && !begins => word.extend(char.to_lowercase()),
            _ => words.push(char.to_lowercase().collect()),
        }
        within = true;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_not_looked_at_word_by_word_is_not_sensitive(
            before in "[a-zA-Z0-9_ .Kİé-]{0,6}",
            end in prop::sample::select(SENSITIVE),
            capitals in any::<u32>(),
            breaks in any::<u32>(),
            after in "[_ -]{0,2}|s|[a-z0-9]",
        ) {
            let mut name = before;
            for (at, char) in end.chars().enumerate() {
                if breaks >> (at % 32) & 3 == 3 {
                    name.push('_');
                }
                name.push(if capitals >> (at % 32) & 1 == 1 { char.to_ascii_uppercase() } else { char });
            }
            name.push_str(&after);
            prop_assert!(may_be_sensitive(&name) || judged(&name).is_none(), "{}", name);
        }
    }

    #[test]
    fn names_count_whole_and_word_by_word() {
        assert!(SENSITIVE.is_sorted());
        assert_eq!(SENSITIVE.iter().map(|name| name.len()).max(), Some(LONGEST));
        assert!(SENSITIVE.iter().all(|name| ENDS.contains(&name.as_bytes().last_chunk().unwrap())));
        for name in ["password", "clientSecret", "client-secret", "API_KEY", "apiKey", "APIKey", "X", "apikey"] {
            assert_eq!(naming(name), (name != "X").then_some(Naming::Whole), "{name}");
        }
        for name in ["db_password", "awsSecretAccessKey", "x-api-key", "STRIPE_SECRET_KEY", "userPassword"] {
            assert_eq!(naming(name), Some(Naming::Ending), "{name}");
        }
        for name in [
            "author",
            "authorizations",
            "max_tokens",
            "token_count",
            "secretary",
            "keyboard",
            "password_hash",
            "secretName",
            "compassword",
            "nosecret",
            "tokens",
            "monkey",
            "",
            "é",
            "password_",
        ] {
            assert_eq!(naming(name), (name == "password_").then_some(Naming::Whole), "{name}");
        }
    }
}
