/// How many entries are read from a store at a time: as many as hold about eight megabytes, and no more than this.
const MOST: usize = 512;
/// How many are read first.
const FIRST: usize = 64;
const BYTES: usize = 8 << 20;

/// The number of entries to read next, judged by the page before, so that entries with large values are read few at a time.
pub(crate) struct PageSize(usize);

impl PageSize {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    pub(crate) fn get(&self) -> usize {
        self.0
    }

    /// Judges by the bytes of each entry of a page that was read. Returns whether it was the last page.
    pub(crate) fn read(&mut self, page: impl IntoIterator<Item = usize>) -> bool {
        let (entries, bytes) = page.into_iter().fold((0, 0), |(entries, sum), bytes| (entries + 1, sum + bytes));
        let last = entries < self.0;
        let fit = BYTES.saturating_mul(entries) / bytes.max(1);
        self.0 = fit.clamp(1, MOST.min(2 * self.0));
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter::repeat_n;

    #[test]
    fn pages_grow_to_their_limit_and_shrink_to_a_single_large_entry() {
        let mut size = PageSize::new();
        for _ in 0..5 {
            assert!(!size.read(repeat_n(10, size.get())));
        }
        assert_eq!(size.get(), MOST);
        assert!(!size.read(repeat_n(BYTES, MOST)));
        assert_eq!(size.get(), 1);
        assert!(!size.read([10]) && size.read([]));
    }
}
