//! What a release shows of the owner of its pins: the running task, the code that releases, the page.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;

use crate::facts::FACTS;

/// The kind of the code that releases, and the page, packed into one number: kind | (index of the page in its folio + 1)
/// << 8. The index is 0 if the page is unknown.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ReleaseCode(pub u64);

impl ReleaseCode {
    /// Code of an unknown kind.
    pub const UNKNOWN: Self = Self(0);

    /// Returns the code for a kind of holder and an unknown page.
    #[inline(always)]
    pub fn of_kind(kind: u64) -> Self {
        Self(kind & 0xff)
    }

    /// Returns the code for a page of the folio with a head page. 0 stands for an unknown page.
    #[inline(always)]
    pub fn with_page(self, head: u64, page: u64) -> Self {
        if page < head {
            return self;
        }
        Self(self.0 | (((page - head) >> (FACTS.page_struct_shift() & 31)) + 1) << 8)
    }

    /// Returns the kind, one of [`pintrace_common::holder_kind::kind`].
    #[inline(always)]
    pub fn kind(self) -> u64 {
        self.0 & 0xff
    }

    /// Returns the address of the struct page, or 0.
    #[inline(always)]
    pub fn page(self, head: u64) -> u64 {
        match self.0 >> 8 {
            0 => 0,
            index => head + ((index - 1) << (FACTS.page_struct_shift() & 31)),
        }
    }
}

/// The running task and the code that release.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Releaser {
    /// tgid << 32 | tid of the running task, which in an interrupt is not the cause.
    pub pid_tgid: u64,
    /// The code that called the unpin function, and the page.
    pub code: ReleaseCode,
}

impl Releaser {
    /// Returns the running task, with code of a kind.
    #[inline(always)]
    pub fn current(kind: u64) -> Self {
        Self {
            pid_tgid: bpf_get_current_pid_tgid(),
            code: ReleaseCode::of_kind(kind),
        }
    }

    /// Returns a releaser of which nothing is known.
    #[inline(always)]
    pub fn unknown() -> Self {
        Self {
            pid_tgid: 0,
            code: ReleaseCode::UNKNOWN,
        }
    }
}
