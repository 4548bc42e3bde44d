//! What a release shows of the owner of its pins, beside the running task: the code that releases, and the page.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_get_current_pid_tgid;

use crate::{facts::FACTS, kernel};

/// The kind of the code that releases, and the page, packed into one number: kind | (index of the page in its folio + 1)
/// << 8. The index is 0 if the page is unknown.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ReleaseCode(pub u64);

/// Flag: the running task is not the releaser.
const NO_TASK: u64 = 1 << 63;

impl ReleaseCode {
    /// Returns tgid << 32 | tid of the running task, which in an interrupt is not the cause; 0 if the task has nothing to
    /// do with the release.
    #[inline(always)]
    pub fn task(self) -> u64 {
        if self.0 & NO_TASK != 0 {
            return 0;
        }
        bpf_get_current_pid_tgid()
    }

    /// User space reconciles the ledger: neither the running task nor its code has anything to do with the owner.
    pub const UNKNOWN: Self = Self(NO_TASK);

    /// Returns the code for a kind of holder and an unknown page. In an interrupt, the running task has nothing to do with
    /// the release: a bio ends while any thread runs.
    #[inline(always)]
    pub fn of_kind(ctx: *mut c_void, kind: u64) -> Self {
        let kind = kind & 0xff;
        if kernel::on_task_stack(ctx) {
            Self(kind)
        } else {
            Self(kind | NO_TASK)
        }
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
        match (self.0 & !NO_TASK) >> 8 {
            0 => 0,
            index => head + ((index - 1) << (FACTS.page_struct_shift() & 31)),
        }
    }
}
