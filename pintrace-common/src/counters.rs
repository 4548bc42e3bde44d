//! The names of all kernel-side counters: page totals, and each reason for loss.
//!
//! The `--json` keys, the metric labels, the header of `top` and the tests are generated from this list.

macro_rules! counters {
    ($(#[$doc:meta])* $enum:ident { $($variant:ident = $name:literal, $stage:literal, $help:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum $enum {
            $(#[doc = $help] $variant,)+
        }

        impl $enum {
            /// Every counter, in the order of its index.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// Number of counters.
            pub const COUNT: usize = Self::ALL.len();

            /// Returns the name in `--json` output and metric labels.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns the stage that counts: `kernel`, `attach`, `source` or `record`.
            pub const fn stage(self) -> &'static str {
                match self { $(Self::$variant => $stage,)+ }
            }

            /// Returns one sentence on the unit and the meaning of the counter.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)+ }
            }

            /// Returns the index in the per-CPU counter array.
            pub const fn index(self) -> u32 {
                self as u32
            }
        }
    };
}

counters! {
    /// Running totals kept by the eBPF programs, in pages as the kernel counts pins.
    Total {
        Acquired = "acquired", "kernel", "Pages pinned through the exported pin functions since the start.";
        Released = "released", "kernel", "Pages unpinned whose pin is in the ledger.";
        PreexistingReleased = "preexisting_released", "kernel", "Pages unpinned whose pin is not in the ledger: the pin was taken before the start, or the pin call was lost.";
        NotInVmstat = "not_in_vmstat", "kernel", "Pages pinned by folio_add_pin, which vmstat counts only when they are released (legacy direct I/O).";
        GupRetry = "gup_retry", "kernel", "Pages that the kernel pinned and dropped again inside a pin call.";
        Unpinned = "unpinned", "kernel", "Entries of pages[] that carry no pin, such as the zero page.";
        RecoveredByBackup = "recovered_by_backup", "kernel", "Calls (not pages) for which the kernel skipped the primary program and a backup program did the work.";
        MmEventRecoveredByBackup = "mm_events_recovered_by_backup", "kernel", "Calls (not pages) that a backup program recovered for the finding hooks.";
        AmbiguousOwner = "ambiguous_owner", "kernel", "Pages unpinned from a folio that several owners had pinned: a rule chose the owner.";
    }
}

counters! {
    /// Reasons why an event, a page or a name was lost. All zero means that nothing was lost.
    Loss {
        RingFull = "ring_full", "kernel", "Records that found the ring buffer full.";
        FolioTableFull = "folio_table_full", "kernel", "Pages pinned that found no room in the folio table: their release counts as that of a preexisting pin.";
        OwnerCellsFull = "owner_cells_full", "kernel", "Pages pinned on a folio with too many owners: counted on the right folio, shown under another owner.";
        ExtentTableFull = "extent_table_full", "kernel", "Long-term pin calls that found no free extent: counted in their account, without address and age.";
        AccountTableFull = "account_table_full", "kernel", "Pin calls that found no free account: counted, shown under no process.";
        LongtermCallsFull = "longterm_calls_full", "kernel", "Pin calls that could not be marked as in flight: releases inside such a call count as releases by its caller.";
        PinFailuresFull = "pin_failures_full", "kernel", "Failed pin calls that found no room in the table of failures: counted under no process and error.";
        RegistrationsFull = "registrations_full", "kernel", "Failed registrations of memory that found no room in their table: not shown.";
        StructPageUnreadable = "struct_page_unreadable", "kernel", "Pages whose struct page could not be read.";
        PagesArrayUnreadable = "pages_array_unreadable", "kernel", "Entries of pages[] that could not be read.";
        PagesBeyondWalk = "pages_beyond_walk", "kernel", "Pages of one call beyond the 8388608 that a program can walk (262144 before Linux 5.17).";
        WalkTableFull = "walk_table_full", "kernel", "Pages of a call that found no room in the table of walks in progress (before Linux 5.17).";
        PinCallUnreadable = "pin_call_unreadable", "kernel", "Pin calls whose arguments or result could not be read. Not pages.";
        CellContended = "cell_contended", "kernel", "Pages whose table cell changed at every attempt to update it.";
        StackLost = "stack_lost", "kernel", "Kernel stacks that could not be stored: the subsystem is taken from the caller alone.";
        MmEventTableFull = "mm_event_table_full", "kernel", "Extents, page copies or flush windows that found no room in the tables of the finding hooks: a finding may be missing.";
        ChangesSuppressed = "changes_suppressed", "kernel", "Mapping changes near pinned memory that one process made faster than the limit: its findings may have too low a count, or be missing.";
        WindowMissed = "window_missed", "kernel", "Pending-flush windows whose end was missed: the kernel skipped the program that counts the changed pages, or a kretprobe had no free instance.";
        RecursionMissed = "recursion_missed", "attach", "Calls that the kernel skipped because the same program was already running on that CPU, less those that a backup program counted.";
        MmEventMissed = "mm_event_missed", "attach", "Calls that the kernel skipped for the finding hooks, less those that a backup program counted: a finding may be missing, no page is.";
        CallsMissed = "calls_missed", "attach", "Calls that the kernel skipped for the hooks on refused registrations and on entries of pin calls: a refusal or a duration may be missing, no page is.";
        ProbeMissed = "probe_missed", "attach", "Returns of a pin function that a kretprobe missed: no instance of it, or no room for the arguments, was free.";
        ReturnUnseen = "return_unseen", "attach", "Long-term pin calls that ended without a hook seeing their return: another program was attached to the pin function meanwhile, or detached, or the kernel skipped the hook.";
        RecordUndecodable = "record_undecodable", "source", "Ring-buffer records that could not be decoded.";
        NameUnread = "name_unread", "source", "Processes that exited before their name and cgroup could be read.";
        EventUnwritten = "event_unwritten", "record", "Events that could not be written to the recording.";
    }
}

impl Loss {
    /// Losses that falsify the held pages of the ledger until a reconciliation.
    pub const OF_LEDGER: &'static [Self] = &[
        Self::FolioTableFull,
        Self::OwnerCellsFull,
        Self::AccountTableFull,
        Self::StructPageUnreadable,
        Self::PagesArrayUnreadable,
        Self::PagesBeyondWalk,
        Self::WalkTableFull,
        Self::PinCallUnreadable,
        Self::CellContended,
        Self::LongtermCallsFull,
        Self::RecursionMissed,
        Self::ProbeMissed,
        Self::ReturnUnseen,
    ];
}
