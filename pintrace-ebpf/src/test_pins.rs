//! Test pins: user space pins and releases a few of its own pages while the gate is closed, and reads here whether the
//! hooks saw both. A release may run in another task or in an interrupt, so releases are recognized by their page.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::map, maps::Array};
use pintrace_common::test_pins::{MOST_PAGES, WORDS, word};

use crate::{
    kernel,
    map_ref::{Lookup, MapRef},
};

/// Words, by [`word`].
#[map]
static TEST_PINS: Array<u64> = Array::with_max_entries(WORDS, 0);

#[inline(always)]
fn thread() -> u64 {
    TEST_PINS.at(word::THREAD).map_or(0, MapRef::load)
}

/// Returns true if the running thread takes test pins.
#[inline(always)]
pub fn is_running_thread() -> bool {
    let thread = thread();
    thread != 0 && thread == bpf_get_current_pid_tgid()
}

#[inline(always)]
fn count(which: u32, pages: u64) {
    if let Some(counter) = TEST_PINS.at(which) {
        counter.word().add(pages);
    }
}

/// Counts the pages of a pin call if the running thread takes test pins, and remembers the first pages of the array. The
/// function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_test_pinned(array: u64, pages: u64) -> u32 {
    if !is_running_thread() {
        return 0;
    }
    count(word::ACQUIRED, pages);
    let mut index = 0;
    while index < MOST_PAGES {
        if u64::from(index) < pages
            && let Some(page) = TEST_PINS.at(word::FIRST_PAGE + index)
        {
            page.store(kernel::u64_at(array + u64::from(index) * 8));
        }
        index += 1;
    }
    0
}

/// Counts a release of `pages` pages if the first of them carries a test pin. The function is global, so that the
/// verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_test_released(page: u64, pages: u64) -> u32 {
    if page == 0 || thread() == 0 {
        return 0;
    }
    let mut index = 0;
    while index < MOST_PAGES {
        let pinned = TEST_PINS.at(word::FIRST_PAGE + index).map_or(0, MapRef::load);
        if pinned == page {
            count(word::RELEASED, pages);
            return 0;
        }
        index += 1;
    }
    0
}

/// Counts a release of the pages of an array, likewise.
#[inline(always)]
pub fn released_array(array: u64, pages: u64) {
    if thread() != 0 {
        pintrace_test_released(kernel::u64_at(array), pages);
    }
}
