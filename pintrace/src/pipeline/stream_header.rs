//! The first event of a stream: host, kernel and clock.

use pintrace_events::Started;
use pintrace_events::units::Nanos;
use pintrace_kernel::facts::{KernelFacts, Roots};

/// Returns the header of a stream that begins now. The caller sets mode, probes and command.
pub(super) fn started(kernel: &KernelFacts, roots: &Roots) -> Started {
    Started {
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: kernel.release.clone(),
        machine: kernel.machine.clone(),
        host: host(roots),
        wall_ns: wall_clock(),
        page_size: 4096,
        ..Started::default()
    }
}

/// Returns the monotonic time: the clock of [`pintrace_events::Event::time`].
pub(super) fn now() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Nanos(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns the wall clock, in ns since 1970.
pub(crate) fn wall_clock() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn host(roots: &Roots) -> String {
    let name = std::fs::read_to_string(roots.proc.join("sys/kernel/hostname")).unwrap_or_default();
    name.trim().to_owned()
}
