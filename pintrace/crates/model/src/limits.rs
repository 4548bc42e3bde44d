//! Limits of the model's tables: recordings may be forged, and live sessions last for months.
//!
//! An event that finds no room is counted in [`super::snapshot::Snapshot::unapplied_events`].

/// Processes, ended ones included. A full table forgets ended processes without pins first.
pub(crate) const PROCESSES: usize = 1 << 17;
/// Accounts alive at one time; the kernel side has room for 16,384.
pub(crate) const ACCOUNTS: usize = 1 << 16;
/// Extents open at one time; the kernel side has room for 65,536.
pub(crate) const EXTENTS: usize = 1 << 20;
/// Kernel stacks; the kernel side has room for 16,384.
pub(crate) const STACKS: usize = 1 << 16;
/// Frames kept of a stack; the kernel side gives 32.
pub(crate) const FRAMES: usize = 128;
/// Named kernel addresses.
pub(crate) const SYMBOLS: usize = 1 << 18;
/// Totals of closed accounts, by thread and origin, and of their pin calls, over all processes.
pub(crate) const PAST_ENTRIES: usize = 1 << 19;
/// Unmapped ranges kept for one extent.
pub(crate) const RANGES: usize = 1 << 4;
/// Findings. In a full table, a new finding replaces a less severe finding.
pub(crate) const FINDINGS: usize = 1 << 12;
/// Pairs of process and cause with flush windows. In a full table, the oldest one gives way.
pub(crate) const WINDOWS: usize = 1 << 13;
/// Closed extents that the model keeps, because copies of their pages are reported later.
pub(crate) const CLOSED_EXTENTS: usize = 1 << 10;
/// Failed registrations, by process, call and error number.
pub(crate) const FAILED_REGISTRATIONS: usize = 1 << 12;
/// Pin calls in flight.
pub(crate) const CALLS_IN_FLIGHT: usize = 1 << 12;
/// Characters kept of a command name; the kernel has 15.
pub(crate) const COMM_CHARS: usize = 64;
/// Characters kept of a command line or a cgroup path.
pub(crate) const LINE_CHARS: usize = 512;
/// Characters kept of a symbol or module; the kernel's `KSYM_NAME_LEN` is 512 since the kernel has Rust code.
pub(crate) const SYMBOL_CHARS: usize = 512;

/// Cuts `text` to `chars` characters.
pub(crate) fn clip(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}
