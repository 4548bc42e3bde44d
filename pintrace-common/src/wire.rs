//! Records on the ring buffer. Each begins with [`Header`], whose kind tells its length.

use crate::ledger::{Account, Extent};

/// What a record is. Values are part of the protocol between the two halves of one build.
pub mod kind {
    /// [`super::AccountOpened`].
    pub const ACCOUNT_OPENED: u32 = 1;
    /// [`super::ExtentOpened`].
    pub const EXTENT_OPENED: u32 = 2;
    /// [`super::ExtentClosed`].
    pub const EXTENT_CLOSED: u32 = 3;
    /// [`super::ExtentPartiallyReleased`].
    pub const EXTENT_PARTIALLY_RELEASED: u32 = 7;
    /// [`super::ProcessExited`].
    pub const PROCESS_EXITED: u32 = 4;
    /// [`crate::mm_events::MappingChanged`].
    pub const MAPPING_CHANGED: u32 = 5;
    /// [`crate::mm_events::MmOrAddressSpaceGone`].
    pub const MM_OR_ADDRESS_SPACE_GONE: u32 = 6;
}

/// The head of every record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Header {
    /// One of [`kind`].
    pub kind: u32,
    /// Account id, extent id or tgid, by kind.
    pub id: u32,
    /// When it happened (monotonic ns).
    pub time_ns: u64,
}

/// An account came into being.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AccountOpened {
    /// `id` is the account's.
    pub header: Header,
    /// Its state at that moment.
    pub account: Account,
}

/// A long-term extent came into being.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ExtentOpened {
    /// `id` is the extent's.
    pub header: Header,
    /// Its state after the pin call that opened it.
    pub extent: Extent,
}

/// The last page of an extent was released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ExtentClosed {
    /// `id` is the extent's, which may be used again afterwards.
    pub header: Header,
    /// Its last state.
    pub extent: Extent,
    /// tgid << 32 | tid of the task that was running; in interrupts an innocent one.
    pub pid_tgid: u64,
}

/// The first page of a long-term extent is released, and others are left; or how many are left is not known any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ExtentPartiallyReleased {
    /// `id` is the extent's.
    pub header: Header,
    /// 1 if how many are left is not known.
    pub ambiguous_owner: u64,
}

/// The last thread of a process that has an account exited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ProcessExited {
    /// `id` is the tgid.
    pub header: Header,
    /// As wait(2) reports it: signal in the low 7 bits, exit status in the next 8.
    pub exit_code: u32,
    /// Keeps the record free of padding.
    pub reserved: u32,
    /// Pages that it held with long-term pins at that moment.
    pub longterm_pages_held: u64,
}
