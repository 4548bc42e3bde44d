//! The kernel facts that user space injects.

use pintrace_common::{Injected, facts::Facts, mm_events::MmEventFacts};

use crate::kernel;

/// Facts for every program.
#[unsafe(no_mangle)]
pub static FACTS: Injected<Facts> = Injected::<Facts>::ZERO;

/// Facts for the programs of the finding hooks, and for system call arguments.
#[unsafe(no_mangle)]
pub static MM_EVENT_FACTS: Injected<MmEventFacts> = Injected::<MmEventFacts>::ZERO;

/// Returns the `mm_struct` of a `vm_area_struct`.
#[inline(always)]
pub fn mm_of(vma: u64) -> u64 {
    kernel::u64_at(vma + MM_EVENT_FACTS.vma_mm())
}
