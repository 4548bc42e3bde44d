//! The kernel facts that user space injects into the scan.

use pintrace_common::{Injected, scan::ScanFacts};

/// Facts for every program of the scan.
#[unsafe(no_mangle)]
pub static SCAN_FACTS: Injected<ScanFacts> = Injected::<ScanFacts>::ZERO;
