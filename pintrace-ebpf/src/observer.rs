//! The interface between the ledger and the modules of the finding hooks. The ledger uses no other part of these
//! modules.

use crate::{facts::MM_EVENT_FACTS, mm_events};

/// Returns true if short-term pins get extents too, because the user asked for findings on short-term pins.
#[inline(always)]
pub fn wants_short_term_extents() -> bool {
    MM_EVENT_FACTS.short_term() != 0
}

/// Runs when pages were pinned at an address of an `mm_struct`; 0 is the running task's mm.
#[inline(always)]
pub fn on_pin(mm: u64, address: u64, pages: u64) {
    mm_events::pinned(mm, address, pages);
}

/// Runs when an account of pins into an mm is opened, and when a process with an account executes a new program; 0 is the
/// running task's mm.
#[inline(always)]
pub fn on_account(mm: u64) {
    mm_events::pinned_mms::add(mm);
}

/// Runs when an extent was opened `within` an `mm_struct` or `address_space`. Returns false if changes there cannot be
/// reported.
#[inline(always)]
pub fn on_extent(within: u64, opened_ns: u64) -> bool {
    mm_events::range_filter::add_extent(within, opened_ns)
}

/// Adds (`n` is 1) or removes (`n` is -1) the range of an extent.
#[inline(always)]
pub fn on_range(within: u64, start: u64, end: u64, n: u64) {
    mm_events::range_filter::pintrace_filter_add(within, start, end, n);
}

/// Runs after the release of an extent's last page. If `last_goes`, the last extent `within` removes the filter.
#[inline(always)]
pub fn on_release(within: u64, start: u64, end: u64, opened_ns: u64, last_goes: bool) {
    mm_events::range_filter::remove_extent(within, start, end, opened_ns, last_goes);
}
