//! Counts the pins that a long-term pin call drops together: before it migrates pages, or because it fails.

use crate::{
    folio::Folio,
    ledger::{
        release,
        walk::{self, Pages, Visitor},
    },
};

#[derive(Clone, Copy)]
struct Dropped;

impl Visitor for Dropped {
    #[inline(always)]
    fn run(&mut self, folio: Folio, pins: u32) {
        release::count_dropped(folio, u64::from(pins));
    }
}

/// Counts the pins of an array of pages or folios.
#[inline(always)]
pub fn drop_array(base: u64, count: u64) {
    pintrace_drop_array(base, count);
}

/// Does the work of [`drop_array`]. The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_drop_array(base: u64, count: u64) -> u32 {
    walk::walk(Pages::Array(base), count, Dropped);
    0
}
