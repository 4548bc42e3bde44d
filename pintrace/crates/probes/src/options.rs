//! What a session loads and attaches, and from when.

/// Options: finding hooks, sizes of maps, debug messages.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Attach the finding hooks, with these options.
    pub findings: Option<WantedFindings>,
    /// The time from which the finding hooks are attached.
    pub findings_from: FindingsFrom,
    /// Other numbers of entries, by map name; tests use small numbers.
    pub map_entries: Vec<(&'static str, u32)>,
    /// Kernel functions that get no hook, as if the kernel called them nowhere; for tests.
    pub left_out: Vec<&'static str>,
    /// Let the programs send debug messages (needs the feature `bpf-log`).
    pub bpf_log: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            findings: Some(WantedFindings::default()),
            findings_from: FindingsFrom::default(),
            map_entries: Vec::new(),
            left_out: Vec::new(),
            bpf_log: false,
        }
    }
}

/// The time from which the finding hooks are attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FindingsFrom {
    /// The start of the session.
    #[default]
    Start,
    /// The first pins for which a hook waits ([`Hook::waits_for`](super::table::Hook::waits_for)). Until then the hooks cost nothing.
    Pins,
}

/// Findings that an option asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct WantedFindings {
    /// Findings on short-term pins, which then get extents too.
    pub short_term: bool,
    /// Findings on references without a pin (FOLL_GET).
    pub foll_get: bool,
    /// The flush windows of processes that have not pinned memory.
    pub all_windows: bool,
}
