use std::cmp::Ordering;

/// Compares object keys by UTF-16 code units, as RFC 8785 sorts them.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    // Below U+E000 the orders by bytes and by code units agree, and ASCII is below all else.
    let first = (a.as_bytes().first(), b.as_bytes().first());
    if let (Some(x), Some(y)) = first
        && x != y
        && (x.is_ascii() || y.is_ascii())
    {
        return x.cmp(y);
    }
    if a.is_ascii() || b.is_ascii() {
        return a.cmp(b);
    }
    a.encode_utf16().cmp(b.encode_utf16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrogate_pairs_sort_below_the_private_use_area() {
        assert_eq!(compare("\u{10000}", "\u{e000}"), Ordering::Less);
        assert_eq!(compare("a", "\u{10000}"), Ordering::Less);
        assert_eq!(compare("b", "a\u{e000}"), Ordering::Greater);
    }
}
