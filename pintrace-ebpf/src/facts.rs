//! The kernel facts that user space injects.

use pintrace_common::{Injected, facts::Facts, mm_events::MmEventFacts};

/// Facts for every program.
#[unsafe(no_mangle)]
pub static FACTS: Injected<Facts> = Injected::<Facts>::ZERO;

/// Facts for the programs of the finding hooks, and for system call arguments.
#[unsafe(no_mangle)]
pub static MM_EVENT_FACTS: Injected<MmEventFacts> = Injected::<MmEventFacts>::ZERO;
