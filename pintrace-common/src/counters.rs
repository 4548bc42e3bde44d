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
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in `--json` output and metric labels.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The stage that counts it: `kernel`, `attach`, `source` or `record`.
            pub const fn stage(self) -> &'static str {
                match self { $(Self::$variant => $stage,)+ }
            }

            /// One sentence on what it counts and what it means.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)+ }
            }

            /// Its index in the per-CPU counter array.
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
        PreexistingReleased = "preexisting_released", "kernel", "Pages unpinned whose pin was taken before the start.";
        NotInVmstat = "not_in_vmstat", "kernel", "Pages pinned by folio_add_pin, which vmstat counts only when they are released (legacy direct I/O).";
        GupRetry = "gup_retry", "kernel", "Pages that the kernel pinned and dropped again inside a pin call.";
        Unpinned = "unpinned", "kernel", "Entries of pages[] that carry no pin, such as the zero page.";
        RecoveredByBackup = "recovered_by_backup", "kernel", "Calls of which the kernel skipped the primary program and a backup program did the work. Not pages.";
        MmEventRecoveredByBackup = "mm_events_recovered_by_backup", "kernel", "The same count for the programs behind the findings. Not pages.";
        AmbiguousOwner = "ambiguous_owner", "kernel", "Pages unpinned from a folio that several owners had pinned: a rule chose the owner.";
    }
}

counters! {
    /// Reasons why an event, a page or a name was lost. All zero means that nothing was lost.
    Loss {
        RingFull = "ring_full", "kernel", "Records that found the ring buffer full.";
        FolioTableFull = "folio_table_full", "kernel", "Pages pinned that found no room in the folio table: their release looks like that of a preexisting pin.";
        OwnerCellsFull = "owner_cells_full", "kernel", "Pages pinned on a folio that too many owners share: counted on the right folio, shown under another owner.";
        ExtentTableFull = "extent_table_full", "kernel", "Long-term pins that found no free extent: counted in their account alone, without address and age.";
        AccountTableFull = "account_table_full", "kernel", "Pin calls that found no free account: counted, shown under no process.";
        CallTableFull = "call_table_full", "kernel", "Pin calls that found no room in the table of calls in flight: releases inside such a call count as releases of its caller.";
        PagesUnreadable = "pages_unreadable", "kernel", "Pages whose struct page or pages[] entry could not be read.";
        CellContended = "cell_contended", "kernel", "Pages whose table cell changed at every attempt to update it.";
        StackLost = "stack_lost", "kernel", "Kernel stacks that could not be stored: the subsystem is taken from the caller alone.";
        MmEventTableFull = "mm_event_table_full", "kernel", "Extents, page copies or flush windows that found no room in the tables behind the findings: a finding may be missing.";
        WindowMissed = "window_missed", "kernel", "Pending-flush windows whose end was missed: the kernel skipped the program that counts the changed pages, or a kretprobe had no free instance.";
        RecursionMissed = "recursion_missed", "attach", "Calls that the kernel skipped because the same program was already running on that CPU, less those that a backup program counted.";
        MmEventMissed = "mm_event_missed", "attach", "The same count for the programs behind the findings: a finding may be missing, no page is.";
        ProbeMissed = "probe_missed", "attach", "Returns that a kretprobe missed because all its instances were in use.";
        RecordUndecodable = "record_undecodable", "source", "Ring-buffer records that could not be decoded.";
        NameUnread = "name_unread", "source", "Processes that exited before their name and cgroup could be read.";
        EventUnwritten = "event_unwritten", "record", "Events that could not be written to the recording.";
    }
}
