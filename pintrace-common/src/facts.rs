//! Kernel facts that user space reads from BTF and injects as one read-only global.
//!
//! The programs branch on these values; the verifier knows them as constants and drops the dead
//! branches. No kernel version is ever compared.

/// How a tail page names its head page.
pub mod head_encoding {
    /// `page.compound_head`: bit 0 set, the rest is the head's address (up to 7.0).
    pub const POINTER: u32 = 0;
    /// `page.compound_info`: bit 0 set, the rest is a mask for the tail's own address, or the head's
    /// address (from 7.1 on; `compound_info_has_mask()`, include/linux/page-flags.h, goes by the kernel's
    /// configuration, which BTF does not show).
    pub const INFO: u32 = 1;
    /// A `compound_info` whose bits from [`MASK_SHIFT`] on are these is a mask: all struct pages of the largest
    /// folio take less than a TiB, and no struct page lies in the last TiB of the address space.
    pub const MASK_BITS: u64 = 0xff_ffff;
    /// Compared this way round because the compiler, told `link >= 0xffff_ffff_0000_0000`, compares a word that has
    /// no sign with -1.
    pub const MASK_SHIFT: u32 = 40;
}

/// Offsets are in bytes; a field that a kernel lacks is [`Facts::ABSENT`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Facts {
    /// `FOLL_LONGTERM`: an enumerator since about 6.3, a macro before (include/linux/mm.h).
    pub foll_longterm: u32,
    /// `GUP_PIN_COUNTING_BIAS`: what a pin adds to the reference count of a small folio.
    pub pin_bias: u32,
    /// log2 of `sizeof(struct page)`.
    pub page_struct_shift: u32,
    /// One of [`head_encoding`].
    pub head_encoding: u32,
    /// `page.flags`.
    pub page_flags: u32,
    /// `page.compound_head` or `page.compound_info`.
    pub page_compound_head: u32,
    /// `page._refcount`.
    pub page_refcount: u32,
    /// The bit number of `PG_head`.
    pub pg_head: u32,
    /// The folio's number of pages, a u32 seen from the head page.
    pub folio_nr_pages: u32,
    /// `page._mapcount`.
    pub page_mapcount: u32,
    /// The exact count of pins of a large folio, a u32 seen from the head page.
    pub folio_pincount: u32,
    /// The least order of folios that have one.
    pub pincount_order: u32,
    /// `task_struct.mm`.
    pub task_mm: u32,
    /// `task_struct.stack`.
    pub task_stack: u32,
    /// `task_struct.exit_code`.
    pub task_exit_code: u32,
    /// `task_struct.signal`.
    pub task_signal: u32,
    /// `signal_struct.live`: threads of the group that have not exited.
    pub signal_live: u32,
    /// `signal_struct.group_exit_code`.
    pub signal_group_exit_code: u32,
    /// `task_struct.tgid`.
    pub task_tgid: u32,
    /// `task_struct.start_time`.
    pub task_start_time: u32,
    /// `mm_struct.owner`, or [`Facts::ABSENT`] without `CONFIG_MEMCG`.
    pub mm_owner: u32,
    /// `THREAD_SIZE`, from the size of `union thread_union`.
    pub thread_size: u32,
    /// 1 if second copies of the programs are attached, for which the first ones leave marks.
    pub two_turns: u32,
    /// The number of a struct of plain words as which the programs may read memory in place; 0 if they may not
    /// ([`cast`](crate::cast)).
    pub cast_type: u32,
}

impl Facts {
    /// Marks an offset that this kernel does not have. Not `u32::MAX`, which the compiler would compare, as a word
    /// that has no sign, with -1.
    pub const ABSENT: u32 = 0x7fff_ffff;
}
