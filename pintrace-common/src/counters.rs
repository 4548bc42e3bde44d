//! The names of everything that is counted: page totals, and each reason for loss.
//!
//! This is the one list of loss reasons: `--json` keys, metric labels, the header of `top` and the
//! tests are all generated from it.

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
    /// Running totals kept by the eBPF programs, in pages as the kernel counts them.
    Total {
        Acquired = "acquired", "kernel", "Pages pinned through the exported pin functions since the start.";
        Released = "released", "kernel", "Pages unpinned whose pin the ledger knew.";
        OpeningReleased = "opening_released", "kernel", "Pages unpinned whose pin is older than the start.";
        Unbooked = "unbooked", "kernel", "Pages pinned once more by folio_add_pin, which the kernel's books count only when they are released (legacy direct I/O).";
        Internal = "internal", "kernel", "Pages that the kernel pinned and dropped again inside a pin call.";
        Unpinned = "unpinned", "kernel", "Entries of pages[] that carry no pin, such as the zero page.";
        MadeGood = "made_good", "kernel", "Calls that the kernel skipped in the first copy of a program, and that the second counted. Not pages.";
        WatchMadeGood = "watch_made_good", "kernel", "The same in programs that look for findings. Not pages.";
        Ambiguous = "ambiguous", "kernel", "Pages unpinned from a folio that several holders had pinned: the holder was chosen by rule.";
    }
}

counters! {
    /// Reasons why an event, a page or a name was lost. All zero means that nothing was.
    Loss {
        RingFull = "ring_full", "kernel", "Records that found the ring buffer full.";
        FolioTableFull = "folio_table_full", "kernel", "Pages pinned that found no room in the folio table: their release looks like one of an older pin.";
        HolderCellsFull = "holder_cells_full", "kernel", "Pages pinned on a folio that too many holders share: held by the right folio, shown under another holder.";
        ExtentTableFull = "extent_table_full", "kernel", "Long-term pins that found no free extent: held by their account alone, without address and age.";
        AccountTableFull = "account_table_full", "kernel", "Pin calls that found no free account: held, shown under no process.";
        CallSlotsFull = "call_slots_full", "kernel", "Pin calls that could not be marked as under way: releases inside them are not told apart.";
        PagesUnreadable = "pages_unreadable", "kernel", "Pages whose struct page or pages[] entry could not be read.";
        CellContended = "cell_contended", "kernel", "Pages whose table cell changed at every attempt to update it.";
        StackLost = "stack_lost", "kernel", "Kernel stacks that could not be stored: the subsystem is taken from the caller alone.";
        WatchFull = "watch_full", "kernel", "Extents, copies or windows that found no room in the tables behind the findings: a finding may be missing.";
        WindowMissed = "window_missed", "kernel", "Pending-flush windows of which the kernel skipped the program that tells what was changed, or a kretprobe without an instance left missed it.";
        RecursionMissed = "recursion_missed", "attach", "Calls that the kernel skipped because the same program was already running on that CPU, less those that a second copy counted.";
        WatchMissed = "watch_missed", "attach", "The same for programs that look for findings: a finding may be missing, no page is.";
        ProbeMissed = "probe_missed", "attach", "Returns that a kretprobe missed because all its instances were in use.";
        RecordUndecodable = "record_undecodable", "source", "Ring-buffer records that could not be decoded.";
        NameUnread = "name_unread", "source", "Processes that ended before their name and cgroup could be read.";
        EventUnwritten = "event_unwritten", "record", "Events that could not be written to the recording.";
    }
}
