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

kernel_facts! {
    /// Offsets are in bytes; a field that a kernel lacks is [`Facts::ABSENT`].
    Facts, read as u32 {
        /// `FOLL_LONGTERM`: an enumerator since about 6.3, a macro before (include/linux/mm.h).
        foll_longterm,
        /// `GUP_PIN_COUNTING_BIAS`: what a pin adds to the reference count of a small folio.
        pin_bias,
        /// log2 of `sizeof(struct page)`.
        page_struct_shift,
        /// One of [`head_encoding`].
        head_encoding,
        /// `page.flags`.
        page_flags,
        /// `page.compound_head` or `page.compound_info`.
        page_compound_head,
        /// `page._refcount`.
        page_refcount,
        /// The bit number of `PG_head`.
        pg_head,
        /// The folio's number of pages, a u32 seen from the head page.
        folio_nr_pages,
        /// `page._mapcount`.
        page_mapcount,
        /// The exact count of pins of a large folio, a u32 seen from the head page.
        folio_pincount,
        /// The least order of folios that have one.
        pincount_order,
        /// `task_struct.mm`.
        task_mm,
        /// `task_struct.stack`.
        task_stack,
        /// `task_struct.exit_code`.
        task_exit_code,
        /// `task_struct.signal`.
        task_signal,
        /// `signal_struct.live`: threads of the group that have not exited.
        signal_live,
        /// `signal_struct.group_exit_code`.
        signal_group_exit_code,
        /// `task_struct.tgid`.
        task_tgid,
        /// `task_struct.start_time`.
        task_start_time,
        /// `mm_struct.owner`, or [`Facts::ABSENT`] without `CONFIG_MEMCG`.
        mm_owner,
        /// `THREAD_SIZE`, from the size of `union thread_union`.
        thread_size,
        /// 1 if second copies of the programs are attached, for which the first ones leave marks.
        has_backups,
        /// The number of a struct of plain words as which the programs may read memory in place; 0 if they may not
        /// (`rdonly_cast`).
        rdonly_cast_type,
    }
}

impl Facts {
    /// Marks an offset that this kernel does not have. Not `u32::MAX`, which the compiler would compare, as a word
    /// that has no sign, with -1.
    pub const ABSENT: u32 = 0x7fff_ffff;
}
