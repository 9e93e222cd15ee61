//! What foreign input is refused for when it is larger than this crate takes.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};

/// A part of foreign input that there is too much of. It is refused before anything is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} {what}, and the limit is {limit}")]
pub struct LimitError {
    /// What there is too much of, in the plural.
    pub what: &'static str,
    /// How much there is.
    pub found: usize,
    /// How much there may be.
    pub limit: usize,
}

impl LimitError {
    /// Compares with a limit.
    pub(crate) fn check(what: &'static str, found: usize, limit: usize) -> Result<(), Self> {
        if found > limit { Err(Self { what, found, limit }) } else { Ok(()) }
    }
}

/// Reads a list of at most `N` elements, and stops at the next: for elements that cost more than their bytes.
pub(crate) fn at_most<'de, D: Deserializer<'de>, T: Deserialize<'de>, const N: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct AtMost<T, const N: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for AtMost<T, N> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {N} elements")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = list.next_element()? {
                if elements.len() == N {
                    return Err(A::Error::custom(format_args!("a list of more than {N} elements")));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }
    deserializer.deserialize_seq(AtMost::<T, N>(PhantomData))
}

/// As [`at_most`], where there may be no list.
pub(crate) fn at_most_if_any<'de, D: Deserializer<'de>, T: Deserialize<'de>, const N: usize>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    struct List<T, const N: usize>(Vec<T>);
    impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for List<T, N> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            at_most::<D, T, N>(deserializer).map(Self)
        }
    }
    Ok(Option::<List<T, N>>::deserialize(deserializer)?.map(|list| list.0))
}

/// The most characters of foreign text that an error repeats.
const SHOWN: usize = 160;

/// The beginning of a foreign text, for an error.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// The text, or as much of it as `limit` bytes hold, marked as cut.
pub(crate) fn cut(mut text: String, limit: usize) -> String {
    const MARK: char = '…';
    if text.len() > limit {
        let end = (0..=limit.saturating_sub(MARK.len_utf8())).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push(MARK);
    }
    text
}

/// Says why JSON is not of a shape, in this crate's words: members, not fields, and no lines, since there is one.
pub(crate) fn misshapen(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (reason, place) = match text.rsplit_once(" at line ") {
        Some((reason, place)) => (reason, place.rsplit_once("column ").map(|(_, column)| column)),
        None => (text.as_str(), None),
    };
    const WORDS: [(&str, &str); 4] = [
        ("unknown field ", "unknown member "),
        ("missing field ", "missing member "),
        ("duplicate field ", "a second member "),
        ("unknown variant ", "unknown word "),
    ];
    let (ours, rest) =
        WORDS.iter().find_map(|(theirs, ours)| Some((*ours, reason.strip_prefix(theirs)?))).unwrap_or(("", reason));
    let cut: String = rest.chars().take(3 * SHOWN).collect();
    match place {
        Some(byte) => format!("byte {byte}: {ours}{cut}"),
        None => format!("{ours}{cut}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_left_where_its_limit_is_passed() {
        #[derive(Debug, Deserialize)]
        struct Listed {
            #[serde(deserialize_with = "at_most::<_, _, 2>")]
            list: Vec<u8>,
            #[serde(default, deserialize_with = "at_most_if_any::<_, _, 1>")]
            more: Option<Vec<u8>>,
        }
        let read = |text: &str| serde_json::from_str::<Listed>(text);
        let listed = read(r#"{"list":[1,2],"more":[3]}"#).unwrap();
        assert_eq!((listed.list, listed.more), (vec![1, 2], Some(vec![3])));
        assert_eq!(read(r#"{"list":[]}"#).unwrap().more, None);
        // What follows is not even read.
        for text in [r#"{"list":[1,2,3,x"#, r#"{"list":[],"more":[1,2,x"#] {
            assert!(read(text).unwrap_err().to_string().contains("a list of more than"), "{text}");
        }
    }

    #[test]
    fn a_shape_is_refused_in_our_words() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct One {
            #[expect(dead_code, reason = "only its shape counts")]
            one: u8,
        }
        let reason = |text: &str| misshapen(&serde_json::from_str::<One>(text).unwrap_err());
        assert_eq!(reason(r#"{"two":1}"#), "byte 6: unknown member `two`, expected `one`");
        assert_eq!(reason("{}"), "byte 2: missing member `one`");
        let long = format!(r#"{{"one":"{}"}}"#, "x".repeat(9_000));
        assert!(reason(&long).len() < 600);
    }
}
