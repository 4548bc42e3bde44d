//! Records on the ring buffer. Each record begins with a [`Header`], whose kind determines the length of the record.

use crate::ledger::{Account, Extent};

/// Kinds of records. The values are valid between the two halves of one build.
pub mod kind {
    /// [`super::AccountOpened`].
    pub const ACCOUNT_OPENED: u32 = 1;
    /// [`super::ExtentOpened`].
    pub const EXTENT_OPENED: u32 = 2;
    /// [`super::ExtentClosed`].
    pub const EXTENT_CLOSED: u32 = 3;
    /// [`super::ExtentMarked`].
    pub const EXTENT_MARKED: u32 = 7;
    /// [`super::ProcessExited`].
    pub const PROCESS_EXITED: u32 = 4;
    /// [`crate::mm_events::MappingChanged`].
    pub const MAPPING_CHANGED: u32 = 5;
    /// [`crate::mm_events::MmOrAddressSpaceGone`].
    pub const MM_OR_ADDRESS_SPACE_GONE: u32 = 6;
    /// [`super::FileReleased`].
    pub const FILE_RELEASED: u32 = 8;
    /// [`super::ProcessExeced`].
    pub const PROCESS_EXECED: u32 = 9;
}

/// The header of every record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Header {
    /// One of [`kind`].
    pub kind: u32,
    /// Account id, extent id or tgid, by kind.
    pub id: u32,
    /// Time of the event (monotonic ns).
    pub time_ns: u64,
}

/// An account was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AccountOpened {
    /// Header, whose `id` is the account's id.
    pub header: Header,
    /// The account when it was opened.
    pub account: Account,
}

/// An extent was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ExtentOpened {
    /// Header, whose `id` is the extent's index.
    pub header: Header,
    /// The extent after the pin call that opened the extent.
    pub extent: Extent,
}

/// The last page of an extent was released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ExtentClosed {
    /// Header, whose `id` is the extent's index. The index may be used again afterwards.
    pub header: Header,
    /// The extent at its end.
    pub extent: Extent,
    /// tgid << 32 | tid of the running task; in an interrupt the task is not the cause.
    pub pid_tgid: u64,
}

/// Less is known about an extent than before, for example because some of its pages were released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ExtentMarked {
    /// Header, whose `id` is the extent's index.
    pub header: Header,
    /// The new marks, of [`crate::ledger::Extent::INEXACT_MARKS`].
    pub marks: u64,
}

/// The last thread of a process that has an account exited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ProcessExited {
    /// Header, whose `id` is the tgid.
    pub header: Header,
    /// Exit code as wait(2) reports the code: signal in the low 7 bits, exit status in the next 8.
    pub exit_code: u32,
    /// Keeps the record free of padding.
    pub reserved: u32,
    /// Number of pages that the process held with long-term pins at its exit.
    pub longterm_pages_held: u64,
}

/// The last reference to an open file is gone, and its subsystem releases its pins later, in a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FileReleased {
    /// Header, whose `id` is 0.
    pub header: Header,
    /// Address of the `struct file`.
    pub file: u64,
}

/// A process that has an account executed a new program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ProcessExeced {
    /// Header, whose `id` is the tgid.
    pub header: Header,
}
