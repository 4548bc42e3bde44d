//! The purposes of BPF programs, by which the own cost is shown.

/// What some BPF programs are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProgramPurpose {
    /// Hooks that count pins and releases.
    Pins,
    /// Hooks that look for findings.
    Findings,
    /// Hooks that see processes end and execute new programs.
    Processes,
    /// Programs that pintrace runs itself: scans of memory, and corrections of the ledger.
    Scan,
}

impl ProgramPurpose {
    /// Every purpose, in display order.
    pub const ALL: [Self; 4] = [Self::Pins, Self::Findings, Self::Processes, Self::Scan];

    /// Returns the name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pins => "pins",
            Self::Findings => "findings",
            Self::Processes => "processes",
            Self::Scan => "scan",
        }
    }

    /// Returns true if the programs run in the context of other processes. The other programs run in the process of
    /// pintrace, whose CPU time includes them.
    #[must_use]
    pub const fn is_hook(self) -> bool {
        !matches!(self, Self::Scan)
    }
}
