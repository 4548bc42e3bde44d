//! Sums of pins that share a holder or a call site.

use pintrace_events::units::Nanos;

use crate::snapshot::{HeldAccount, OpenExtent};

/// Pins that are shown in one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PinSums {
    /// Number of extents; an account whose extents are not known counts as one.
    pub extents: u64,
    /// Pages held now.
    pub pages_held: u64,
    /// Bytes kept in place now.
    pub bytes_held: u64,
    /// Time of the oldest pin; `None` if only a scan found the pins.
    pub oldest_since: Option<Nanos>,
}

impl PinSums {
    /// Adds an extent.
    pub(super) fn add_extent(&mut self, extent: &OpenExtent) {
        self.add(extent.pages_held, extent.bytes_held, Some(extent.since));
    }

    /// Adds an account of which no extent is known.
    pub(super) fn add_account(&mut self, account: &HeldAccount) {
        self.add(account.pages_held, account.bytes_held, account.since);
    }

    fn add(&mut self, pages: u64, bytes: u64, since: Option<Nanos>) {
        self.extents = self.extents.saturating_add(1);
        self.pages_held = self.pages_held.saturating_add(pages);
        self.bytes_held = self.bytes_held.saturating_add(bytes);
        self.oldest_since = self.oldest_since.into_iter().chain(since).min();
    }
}
