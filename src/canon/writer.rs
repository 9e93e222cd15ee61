//! Where sealed JSON is written to: the bytes so far, and what is known of the objects that are open.

use std::cell::Cell;

use serde::ser::Error as _;

use super::{CanonError, MAX_DEPTH, key, number, string::string, write::RESERVED_KEY};

/// The most bytes of output that a kept writer has room for.
pub(super) const MAX_KEPT: usize = 1 << 16;
/// The most members that a kept writer has room for.
const MAX_KEPT_MEMBERS: usize = 1 << 10;

thread_local! {
    /// Not there while it is in use: a value that asks for another one's form gets a writer of its own.
    static KEPT: Cell<Option<Writer>> = const { Cell::new(None) };
}

pub(super) struct Writer {
    pub(super) out: Vec<u8>,
    depth: usize,
    /// The members of all objects that are open, the innermost object's last.
    members: Vec<Member>,
    /// The keys of the open objects that are maps, one after the other.
    pub(super) keys: String,
}

/// A member that was begun: its key, and where its bytes begin. They end at the comma before the next.
struct Member {
    key: Key,
    start: usize,
}

#[derive(Clone, Copy)]
pub(super) enum Key {
    Static(&'static str),
    /// A part of the writer's keys.
    // INVARIANT: `keys` are cut only when the object that this is a key of ends.
    Kept {
        start: usize,
        end: usize,
    },
}

impl Key {
    fn of(self, keys: &str) -> Result<&str, CanonError> {
        match self {
            Self::Static(key) => Ok(key),
            Self::Kept { start, end } => keys.get(start..end).ok_or_else(|| CanonError::custom("a key that is gone")),
        }
    }
}

/// Where an object that is open begins: its bytes, its members and its keys.
pub(super) struct Place {
    start: usize,
    members: usize,
    keys: usize,
    sorted: bool,
}

impl Writer {
    /// The thread's writer, or a new one. [`keep`](Self::keep) gives it back.
    pub(super) fn take() -> Self {
        // There is none while the thread's values are dropped.
        let kept = KEPT.try_with(Cell::take).ok().flatten();
        kept.unwrap_or_else(|| Self {
            out: Vec::with_capacity(2_048),
            depth: 0,
            members: Vec::with_capacity(16),
            keys: String::new(),
        })
    }

    pub(super) fn keep(mut self) {
        self.out.clear();
        self.out.shrink_to(MAX_KEPT);
        self.members.clear();
        self.members.shrink_to(MAX_KEPT_MEMBERS);
        self.keys.clear();
        self.keys.shrink_to(MAX_KEPT);
        self.depth = 0;
        // As above: it is dropped then.
        KEPT.try_with(|kept| kept.set(Some(self))).unwrap_or_default();
    }

    pub(super) fn enter(&mut self, open: u8) -> Result<(), CanonError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(CanonError::TooDeep);
        }
        self.out.push(open);
        Ok(())
    }

    pub(super) fn leave(&mut self, close: u8) {
        self.depth -= 1;
        self.out.push(close);
    }

    pub(super) fn begin_object(&mut self) -> Result<Place, CanonError> {
        self.enter(b'{')?;
        Ok(Place { start: self.out.len(), members: self.members.len(), keys: self.keys.len(), sorted: true })
    }

    /// Writes all of a member but its value. Not inlined: it would be there once for every type that is written.
    #[inline(never)]
    pub(super) fn begin_member(&mut self, place: &mut Place, key: Key) -> Result<(), CanonError> {
        let Self { out, members, keys, .. } = self;
        let text = key.of(keys)?;
        if text.starts_with(RESERVED_KEY) {
            return Err(CanonError::ReservedKey { key: text.to_owned() });
        }
        if let Some(last) = members.get(place.members..).and_then(<[Member]>::last) {
            place.sorted &= key::compare(last.key.of(keys)?, text).is_lt();
            out.push(b',');
        }
        members.push(Member { key, start: out.len() });
        string(out, text);
        out.push(b':');
        Ok(())
    }

    /// Not inlined, as [`begin_member`](Self::begin_member).
    #[inline(never)]
    pub(super) fn end_object(&mut self, place: &Place) -> Result<(), CanonError> {
        if !place.sorted {
            self.sort(place)?;
        }
        self.members.truncate(place.members);
        self.keys.truncate(place.keys);
        self.leave(b'}');
        Ok(())
    }

    /// Puts the members of an object into their order.
    fn sort(&mut self, place: &Place) -> Result<(), CanonError> {
        let Self { out, members, keys, .. } = self;
        let members = members.get(place.members..).unwrap_or_default();
        let ends = members.iter().skip(1).map(|next| next.start - 1).chain([out.len()]);
        let keyed = members.iter().zip(ends).map(|(member, end)| Ok((member.key.of(keys)?, member.start..end)));
        let mut sorted = keyed.collect::<Result<Vec<_>, CanonError>>()?;
        sorted.sort_by(|(a, _), (b, _)| key::compare(a, b));
        let mut bytes = Vec::with_capacity(out.len() - place.start);
        let mut last = None;
        for (key, member) in sorted {
            if last == Some(key) {
                return Err(CanonError::DuplicateKey { key: key.to_owned() });
            }
            if last.replace(key).is_some() {
                bytes.push(b',');
            }
            bytes.extend_from_slice(out.get(member).unwrap_or_default());
        }
        out.truncate(place.start);
        out.append(&mut bytes);
        Ok(())
    }

    /// Reads the string from `start` on as a number, and writes that in its place.
    pub(super) fn number(&mut self, start: usize) -> Result<(), CanonError> {
        let quoted = self.out.split_off(start);
        let text = quoted.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
        let text = text.and_then(|text| std::str::from_utf8(text).ok());
        number::text(&mut self.out, text.ok_or_else(|| CanonError::custom("a number that is not a text"))?)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, sync::mpsc, thread};

    use serde::{Serialize, Serializer};
    use serde_json::{Value, json};

    use super::*;
    use crate::canon::{canonical_value, to_canonical};

    /// Serializes as the form that another value has.
    struct Quoted(Value);

    impl Serialize for Quoted {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let form = canonical_value(&self.0).map_err(serde::ser::Error::custom)?;
            serializer.serialize_str(&String::from_utf8_lossy(&form))
        }
    }

    #[test]
    fn a_writer_that_was_kept_knows_nothing_of_what_it_wrote() {
        let value = json!({"b": {"d": 1, "c": [true]}, "a": "x"});
        let form = br#"{"a":"x","b":{"c":[true],"d":1}}"#;
        assert_eq!(canonical_value(&value).as_deref(), Ok(&form[..]));
        let deep = |inner| (0..MAX_DEPTH).fold(inner, |inner, _| json!({"a": inner}));
        assert!(canonical_value(&deep(json!(1e300))).is_err());
        assert!(canonical_value(&deep(json!(1))).is_ok());
        assert_eq!(canonical_value(&value).as_deref(), Ok(&form[..]));
        let within = to_canonical(&("before", Quoted(json!({"b": 1, "a": 2})), "after")).unwrap();
        assert_eq!(within, br#"["before","{\"a\":2,\"b\":1}","after"]"#);
    }

    #[test]
    fn a_kept_writer_is_small_whatever_it_wrote() {
        canonical_value(&Value::from("x".repeat(4 * MAX_KEPT))).unwrap();
        canonical_value(&(0..20_000).map(|key| (format!("{key:010}"), json!(1))).collect::<Value>()).unwrap();
        canonical_value(&deep_failure()).unwrap_err();
        let kept = KEPT.take().unwrap();
        assert!(kept.out.capacity() <= MAX_KEPT && kept.keys.capacity() <= MAX_KEPT);
        assert!(kept.members.capacity() <= MAX_KEPT_MEMBERS && kept.members.is_empty() && kept.keys.is_empty());
    }

    fn deep_failure() -> Value {
        json!({"a": {"b": {"c": 1e300}}})
    }

    #[test]
    fn what_a_thread_drops_at_its_end_can_still_be_written() {
        struct AtTheEnd(mpsc::Sender<Vec<u8>>);
        impl Drop for AtTheEnd {
            fn drop(&mut self) {
                drop(self.0.send(canonical_value(&json!({"b": 1, "a": 2})).unwrap()));
            }
        }
        thread_local!(static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) });
        let (sender, receiver) = mpsc::channel();
        let ends = thread::spawn(move || {
            LAST.set(Some(AtTheEnd(sender)));
            canonical_value(&json!(1)).unwrap()
        });
        assert_eq!(ends.join().unwrap(), b"1");
        assert_eq!(receiver.recv().unwrap(), br#"{"a":2,"b":1}"#);
    }
}
