//! A pattern that covers another matches all that the other does. Lines: the wide one, the narrow one, names.

use openthymos::{contract::ToolName, writ::ToolPattern};

use super::golden;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n').take(16);
    let mut pattern = || lines.next().and_then(|text| ToolPattern::new(text).ok());
    let (Some(wide), Some(narrow)) = (pattern(), pattern()) else { return };
    for pattern in [&wide, &narrow] {
        assert_eq!(ToolPattern::new(pattern.as_str()).as_ref(), Ok(pattern));
        assert!(pattern.covers(pattern));
    }
    for name in lines.filter_map(|text| ToolName::new(text).ok()) {
        for pattern in [&wide, &narrow] {
            assert_eq!(pattern.matches(&name), matches(pattern.as_str().as_bytes(), name.as_str().as_bytes()));
        }
        assert!(!wide.covers(&narrow) || !narrow.matches(&name) || wide.matches(&name), "{wide} {narrow} {name}");
        // A name is a pattern too.
        let exact = ToolPattern::new(name.as_str()).unwrap();
        assert_eq!(wide.covers(&exact), wide.matches(&name));
    }
}

/// What a pattern means, written plainly: which prefixes of the name each prefix of the pattern matches.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for symbol in pattern {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            next[at] = match symbol {
                b'*' => reached[..=at].contains(&true),
                _ if at == 0 => false,
                b'?' => reached[at - 1],
                literal => reached[at - 1] && name[at - 1] == *literal,
            };
        }
        reached = next;
    }
    reached[name.len()]
}

pub fn seeds() -> Vec<Vec<u8>> {
    let patterns = golden::vectors(golden::PATTERNS).into_iter().filter_map(|vector| golden::text(&vector, "pattern"));
    let patterns: Vec<_> = patterns.collect();
    let pair =
        |pair: &[String]| format!("{}\n{}\nkv_get\nmcp:github/issues.list\naxbxc\na", pair[0], pair[1]).into_bytes();
    patterns.windows(2).map(pair).chain([b"a*b*c\na?b*c\naxbc\nabc".to_vec(), b"*\nfs_?\nfs_a".to_vec()]).collect()
}
