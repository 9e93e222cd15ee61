//! Which words of a task are worth looking for.

/// The most words that are followed.
const MAX_WORDS: usize = 3;

/// Words that say what to do, or nothing, rather than what to look for.
const STOP_WORDS: &str = "a about above after all also an and any are around as at be been before below between both but by \
    can check code codebase could describe did do does each everything examine explain explore file files find first folder \
    folders for from get give go good had has have help here how i if important in inspect into investigate is it its just \
    know let like list look made make map may me might most must my need new no not now of on one only or other our out \
    overview please project read repo repository report review say see should show some something source structure \
    summarise summarize summary take tell than that the their them then there these they thing things this those through \
    to tree try understand up us use used uses using want was way we what when where whether which who why will with \
    workspace would write you your";

/// The most specific words of a task, most specific first: those written like identifiers or paths, then names, then
/// the longest.
pub(super) fn words(task: &str) -> Vec<String> {
    let edges = |c: char| !(c.is_alphanumeric() || c == '_');
    let mut found: Vec<(u8, usize, String)> = Vec::new();
    let mut opens_sentence = true;
    for raw in task.replace("::", ";").split(|c: char| c.is_whitespace() || ",;()[]{}\"'`".contains(c)) {
        let word = raw.trim_matches(edges);
        let name = word.starts_with(char::is_uppercase) && !opens_sentence;
        if !raw.is_empty() {
            opens_sentence = raw.ends_with(['.', '!', '?', ':']);
        }
        let length = word.chars().count();
        let known = STOP_WORDS.split_whitespace().any(|stop| stop == word.to_lowercase());
        if (3..=60).contains(&length) && !known && !found.iter().any(|(.., other)| other == word) {
            let rank = if is_identifier(word) { 0 } else { 2 - u8::from(name) };
            found.push((rank, usize::MAX - length, word.to_owned()));
        }
    }
    found.sort_by_key(|(rank, shortness, _)| (*rank, *shortness));
    found.into_iter().take(MAX_WORDS).map(|(.., word)| word).collect()
}

/// A regular expression that finds the word itself.
pub(super) fn pattern(word: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$#&-~/".contains(c);
    let escaped = word.chars().flat_map(|c| special(c).then_some('\\').filter(|_| c != '/').into_iter().chain([c]));
    format!("(?i){}", escaped.collect::<String>())
}

fn is_identifier(word: &str) -> bool {
    let inner_capital = word.chars().zip(word.chars().skip(1)).any(|(a, b)| a.is_lowercase() && b.is_uppercase());
    inner_capital || word.contains(['_', '.', '/', ':']) || word.chars().any(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_words_come_first() {
        assert_eq!(words("Tell me about this repository, please!"), Vec::<String>::new());
        assert_eq!(words("where is the budget checked against `max_calls`?"), ["max_calls", "checked", "against"]);
        assert_eq!(words("Explain Überprüfung in src/main.rs."), ["src/main.rs", "Überprüfung"]);
        assert_eq!(words("See Amounts::exceeds, and the longest wording."), ["Amounts", "exceeds", "longest"]);
        assert_eq!(pattern("a.b/c"), r"(?i)a\.b/c");
    }
}
