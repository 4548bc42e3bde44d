//! Pages acquired and released.

/// Pages acquired and released since a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) acquired: u64,
    pub(crate) released: u64,
}

impl Flow {
    pub(crate) fn add(&mut self, acquired: u64, released: u64) {
        self.acquired = self.acquired.saturating_add(acquired);
        self.released = self.released.saturating_add(released);
    }
}
