use crate::{
    canon::Salt,
    host::{Entropy, EntropyError},
};

/// Salts that were drawn at once: a source may take time for each draw.
pub(super) struct Salts(std::vec::IntoIter<[u8; 16]>);

impl Salts {
    pub(super) fn draw(count: usize, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        // Not `vec![…; count]`: zeroed memory is slower to be had.
        let mut drawn: Vec<_> = std::iter::repeat_n([0; 16], count).collect();
        entropy.fill_each(&mut drawn).map(|()| Self(drawn.into_iter()))
    }

    /// The next of them; none is given twice.
    pub(super) fn next(&mut self) -> Result<Salt, EntropyError> {
        self.0.next().map(Salt).ok_or_else(|| EntropyError("fewer salts were drawn than are needed".into()))
    }
}
