//! What came and went.

/// Pages acquired and released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) acquired: u64,
    pub(super) released: u64,
}

impl Flow {
    pub(super) fn add(&mut self, acquired: u64, released: u64) {
        self.acquired = self.acquired.saturating_add(acquired);
        self.released = self.released.saturating_add(released);
    }
}
