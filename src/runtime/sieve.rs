use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{canon::cut, cognition::TurnPiece, redact::Redactor};

/// The most bytes that are held back over all streams of a turn; a stream that would hold more is not shown.
const MAX_HELD: usize = 1 << 20;

/// The most streams of a turn; a further one is not shown.
const MAX_STREAMS: usize = 256;

/// The most bytes of a tool's name that are shown.
const MAX_TOOL: usize = 256;

/// Redacts the pieces of a turn as they arrive. A secret may be spread over pieces, so they are shown by whole lines, and
/// a private key only when it is complete.
#[derive(Default)]
pub(super) struct Sieve(Mutex<Streams>);

/// What a piece is part of: the text, or the arguments of a request.
type Stream = Option<usize>;

#[derive(Default)]
struct Streams {
    streams: BTreeMap<Stream, Held>,
    /// The bytes that all of them hold.
    bytes: usize,
}

#[derive(Default)]
struct Held {
    tool: String,
    text: String,
    /// How much of the text is whole lines that were looked through.
    seen: usize,
    /// How many keys begin there, and how many end.
    keys: (usize, usize),
    overflown: bool,
}

impl Sieve {
    /// Takes a piece in, and gives what can be shown.
    pub(super) fn take(&self, redactor: &Redactor, piece: TurnPiece) -> Option<TurnPiece> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Streams { streams, bytes } = &mut *streams;
        let (stream, tool, text) = match piece {
            TurnPiece::Text(text) => (None, String::new(), text),
            TurnPiece::Arguments { request, tool, text } => (Some(request), tool, text),
        };
        if streams.len() >= MAX_STREAMS && !streams.contains_key(&stream) {
            return None;
        }
        let held = streams.entry(stream).or_default();
        if held.overflown {
            return None;
        }
        // No part of a secret may be left by the cut.
        held.tool = cut(redactor.text(&tool).0.into_owned(), MAX_TOOL);
        let before = held.text.len();
        let lines = held.take(&text);
        *bytes = (*bytes + held.text.len()).saturating_sub(before);
        let piece = lines.map(|lines| shown(redactor, stream, held.tool.clone(), &lines));
        if *bytes > MAX_HELD {
            *bytes -= held.text.len();
            *held = Held { overflown: true, ..Held::default() };
        }
        piece
    }

    /// Gives what was held back, when the turn is over.
    pub(super) fn rest(self, redactor: &Redactor) -> Vec<TurnPiece> {
        let Streams { streams, .. } = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let held = streams.into_iter().filter(|(_, held)| !held.text.is_empty());
        held.map(|(stream, held)| shown(redactor, stream, held.tool, &held.text)).collect()
    }
}

impl Held {
    /// Takes text in, and gives the whole lines, unless a private key begins in them and does not end. Every line is looked
    /// through once.
    fn take(&mut self, text: &str) -> Option<String> {
        let before = self.text.len();
        self.text.push_str(text);
        let whole = before + text.rfind('\n')? + 1;
        let lines = self.text.get(self.seen..whole)?;
        self.keys.0 += lines.matches("-----BEGIN").count();
        self.keys.1 += lines.matches("-----END").count();
        self.seen = whole;
        if self.keys.0 > self.keys.1 {
            return None;
        }
        (self.seen, self.keys) = (0, (0, 0));
        let rest = self.text.split_off(whole);
        Some(std::mem::replace(&mut self.text, rest))
    }
}

/// A piece to show; the tool's name is redacted before.
fn shown(redactor: &Redactor, stream: Stream, tool: String, text: &str) -> TurnPiece {
    let text = redactor.text(text).0.into_owned();
    match stream {
        None => TurnPiece::Text(text),
        Some(request) => TurnPiece::Arguments { request, tool, text },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_arrives_in_pieces_is_not_shown() {
        let (redactor, sieve) = (Redactor::default(), Sieve::default());
        let secret = format!("{}_{}", "ghp", "Ab1".repeat(12));
        let (left, right) = secret.split_at(9);
        let mut shown = String::new();
        for piece in ["first\nthe tok", "en is ", left, right, " and more\n", "last"] {
            if let Some(TurnPiece::Text(text)) = sieve.take(&redactor, TurnPiece::Text(piece.into())) {
                shown += &text;
            }
        }
        assert!(shown.starts_with("first\nthe token is [redacted:github-token:"), "{shown}");
        assert!(shown.ends_with("] and more\n"), "{shown}");
        assert_eq!(sieve.rest(&redactor), [TurnPiece::Text("last".into())]);
    }

    fn arguments(request: usize, text: impl Into<String>) -> TurnPiece {
        TurnPiece::Arguments { request, tool: "act".into(), text: text.into() }
    }

    #[test]
    fn what_is_held_back_is_bounded_over_all_requests_of_a_turn() {
        let (redactor, sieve) = (Redactor::none(), Sieve::default());
        for request in 0..8 {
            assert_eq!(sieve.take(&redactor, arguments(request, "x".repeat(1 << 18))), None);
        }
        for request in 8..100_000 {
            assert_eq!(sieve.take(&redactor, arguments(request, "x")), None);
        }
        let rest = sieve.rest(&redactor);
        let text = |piece: &TurnPiece| match piece {
            TurnPiece::Text(text) | TurnPiece::Arguments { text, .. } => text.len(),
        };
        assert!(rest.len() <= 256 && rest.iter().map(text).sum::<usize>() <= 1 << 20, "{}", rest.len());
    }

    #[test]
    fn one_request_that_was_too_long_does_not_keep_another_from_being_shown() {
        let (redactor, sieve) = (Redactor::none(), Sieve::default());
        assert_eq!(sieve.take(&redactor, arguments(0, "x".repeat(2 << 20))), None);
        assert_eq!(sieve.take(&redactor, arguments(0, "y\n")), None);
        assert_eq!(sieve.take(&redactor, arguments(1, "shown\n")), Some(arguments(1, "shown\n")));
        assert!(sieve.rest(&redactor).is_empty());
    }

    #[test]
    fn a_long_key_in_single_characters_is_looked_through_once() {
        let (redactor, sieve) = (Redactor::none(), Sieve::default());
        let started = std::time::Instant::now();
        let take = |text: &str| sieve.take(&redactor, TurnPiece::Text(text.into()));
        assert_eq!(take("-----BEGIN\n"), None);
        for at in 0..1 << 19 {
            assert_eq!(take(if at % 64 == 0 { "\n" } else { "a" }), None);
        }
        assert!(take("-----END\n").is_some());
        // Each character once takes a second; all of them for each, far longer than this.
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}
