use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{cognition::TurnPiece, redact::Redactor};

/// The most bytes that are held back; a longer line is not shown.
const MAX_HELD: usize = 1 << 20;

/// Redacts the pieces of a turn as they arrive. A secret may be spread over pieces, so they are shown by whole lines, and
/// a private key only when it is complete.
#[derive(Default)]
pub(super) struct Sieve(Mutex<BTreeMap<Stream, Held>>);

/// What a piece is part of: the text, or the arguments of a request.
type Stream = Option<usize>;

#[derive(Default)]
struct Held {
    tool: String,
    text: String,
    overflown: bool,
}

impl Sieve {
    /// Takes a piece in, and gives what can be shown.
    pub(super) fn take(&self, redactor: &Redactor, piece: TurnPiece) -> Option<TurnPiece> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (stream, tool, text) = match piece {
            TurnPiece::Text(text) => (None, String::new(), text),
            TurnPiece::Arguments { request, tool, text } => (Some(request), tool, text),
        };
        let held = streams.entry(stream).or_default();
        held.tool = tool;
        if !held.overflown {
            held.text.push_str(&text);
        }
        if held.text.len() > MAX_HELD {
            held.overflown = true;
            held.text.clear();
        }
        let whole = held.text.rfind('\n').map_or(0, |end| end + 1);
        let open = |text: &str| text.matches("-----BEGIN").count() > text.matches("-----END").count();
        if whole == 0 || held.text.get(..whole).is_none_or(open) {
            return None;
        }
        let rest = held.text.split_off(whole);
        let lines = std::mem::replace(&mut held.text, rest);
        Some(shown(redactor, stream, &held.tool, &lines))
    }

    /// Gives what was held back, when the turn is over.
    pub(super) fn rest(self, redactor: &Redactor) -> Vec<TurnPiece> {
        let streams = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let held = streams.into_iter().filter(|(_, held)| !held.text.is_empty());
        held.map(|(stream, held)| shown(redactor, stream, &held.tool, &held.text)).collect()
    }
}

fn shown(redactor: &Redactor, stream: Stream, tool: &str, text: &str) -> TurnPiece {
    let redact = |text: &str| redactor.text(text).0.into_owned();
    match stream {
        None => TurnPiece::Text(redact(text)),
        Some(request) => TurnPiece::Arguments { request, tool: redact(tool), text: redact(text) },
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
}
