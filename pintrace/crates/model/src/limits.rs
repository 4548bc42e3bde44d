//! How much the model keeps at most: recordings may be forged, and live sessions last for months.
//!
//! What finds no room is counted in [`super::snapshot::Snapshot::unapplied_events`].

/// Processes, ended ones included; when full, ended ones that hold nothing are forgotten first.
pub(crate) const PROCESSES: usize = 1 << 17;
/// Accounts alive at one time; the kernel side has room for 16,384.
pub(crate) const ACCOUNTS: usize = 1 << 16;
/// Extents open at one time; the kernel side has room for 65,536.
pub(crate) const EXTENTS: usize = 1 << 17;
/// Kernel stacks; the kernel side has room for 16,384.
pub(crate) const STACKS: usize = 1 << 16;
/// Frames kept of a stack; the kernel side gives 32.
pub(crate) const FRAMES: usize = 128;
/// Named kernel addresses.
pub(crate) const SYMBOLS: usize = 1 << 18;
/// Closed accounts' totals kept apart by thread and origin, over all processes.
pub(crate) const PAST_ENTRIES: usize = 1 << 19;
/// Parts of one extent that lie no more where they were pinned.
pub(crate) const RANGES: usize = 1 << 4;
/// Findings; when full, one that is less severe gives way.
pub(crate) const FINDINGS: usize = 1 << 12;
/// Processes and causes of pending-flush windows.
pub(crate) const WINDOWS: usize = 1 << 13;
/// Extents remembered after their end, since copies of their pages are told later.
pub(crate) const CLOSED_EXTENTS: usize = 1 << 10;
/// Characters kept of a command name; the kernel has 15.
pub(crate) const COMM_CHARS: usize = 64;
/// Characters kept of a command line or a cgroup path.
pub(crate) const LINE_CHARS: usize = 512;
/// Characters kept of a symbol or module; the kernel's `KSYM_NAME_LEN` is 512 with Rust in it.
pub(crate) const SYMBOL_CHARS: usize = 512;

/// Cuts `text` to `chars` characters.
pub(crate) fn clip(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}
