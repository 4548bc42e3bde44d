//! Kernel facts that user space reads from BTF and injects as one read-only global.
//!
//! The programs branch on these values. The verifier knows the values as constants and drops the dead branches. No
//! program compares kernel versions.

/// How a tail page refers to its head page.
pub mod head_encoding {
    /// `page.compound_head` (up to 7.0): bit 0 is set, and the other bits are the address of the head page.
    pub const POINTER: u32 = 0;
    /// `page.compound_info` (from 7.1 on): bit 0 is set, and the other bits are a mask for the address of the tail
    /// page, or the address of the head page. `compound_info_has_mask()` (include/linux/page-flags.h) depends on the
    /// kernel's configuration, which BTF does not contain.
    pub const INFO: u32 = 1;
    /// The bits of a `compound_info` from [`MASK_SHIFT`] on, if the value is a mask. All struct pages of the largest
    /// folio take less than a TiB, and no struct page is in the last TiB of the address space.
    pub const MASK_BITS: u64 = 0xff_ffff;
    /// First bit of [`MASK_BITS`]. The programs shift and compare, because the compiler turns the comparison
    /// `link >= 0xffff_ffff_0000_0000` into a signed comparison with -1.
    pub const MASK_SHIFT: u32 = 40;
}

kernel_facts! {
    /// Kernel facts for the ledger. Offsets are in bytes; the offset of a missing field is [`Facts::ABSENT`].
    Facts, read as u32 {
        /// `FOLL_LONGTERM`, an enumerator since about 6.3, before a macro (include/linux/mm.h).
        foll_longterm,
        /// `GUP_PIN_COUNTING_BIAS`: the references that one pin adds to a small folio.
        pin_bias,
        /// log2 of `sizeof(struct page)`.
        page_struct_shift,
        /// One of [`head_encoding`].
        head_encoding,
        /// Offset of `page.flags`.
        page_flags,
        /// Offset of `page.compound_head` or `page.compound_info`.
        page_compound_head,
        /// Offset of `page._refcount`.
        page_refcount,
        /// Bit number of `PG_head`.
        pg_head,
        /// Bit number of `PG_anon_exclusive`; 0 before 5.19.
        pg_anon_exclusive,
        /// Offset of `page.mapping`.
        page_mapping,
        /// Offset of the folio's number of pages, a u32, from the head page.
        folio_nr_pages,
        /// Offset of `page._mapcount`.
        page_mapcount,
        /// Offset of the exact number of pins of a large folio, a u32, from the head page.
        folio_pincount,
        /// Least order of folios that have an exact number of pins.
        pincount_order,
        /// Offset of `task_struct.mm`.
        task_mm,
        /// Offset of `task_struct.stack`.
        task_stack,
        /// Offset of `task_struct.exit_code`.
        task_exit_code,
        /// Offset of `task_struct.signal`.
        task_signal,
        /// Offset of `signal_struct.live`, the number of threads of the process that have not exited.
        signal_live,
        /// Offset of `signal_struct.group_exit_code`.
        signal_group_exit_code,
        /// Offset of `task_struct.tgid`.
        task_tgid,
        /// Offset of `task_struct.start_time`.
        task_start_time,
        /// Offset of `mm_struct.owner`, or [`Facts::ABSENT`] without `CONFIG_MEMCG`.
        mm_owner,
        /// Offset of `signal_struct.rlim`.
        signal_rlim,
        /// Offset of `mm_struct.pinned_vm`.
        mm_pinned_vm,
        /// Offset of `mm_struct.locked_vm`.
        mm_locked_vm,
        /// Offset of `task_struct.cred`.
        task_cred,
        /// Offset of `cred.uid`.
        cred_uid,
        /// Offset of `cred.cap_effective`.
        cred_cap_effective,
        /// Offset of `cred.user`.
        cred_user,
        /// Offset of `cred.user_ns`.
        cred_user_ns,
        /// Offset of `user_namespace.level`, which is 0 for the initial namespace.
        user_ns_level,
        /// Offset of `user_struct.locked_vm`, or [`Facts::ABSENT`] without perf, io_uring and sockets.
        user_locked_vm,
        /// Offset of `task_struct.files`.
        task_files,
        /// Offset of `files_struct.fdt`.
        files_fdt,
        /// Offset of `fdtable.fd`.
        fdt_fd,
        /// Offset of `fdtable.max_fds`.
        fdt_max_fds,
        /// Offset of `task_struct.io_uring`; 0 if the kernel has no registered rings (before 5.18).
        task_io_uring,
        /// Offset of `io_uring_task.registered_rings`.
        registered_rings,
        /// `THREAD_SIZE`, the size of `union thread_union`.
        thread_size,
        /// Offset of `pages_or_folios.nr_entries`; 0 if the kernel has no such type (before 6.12).
        pofs_nr_entries,
        /// Index of `reason` among the arguments of the tracepoint mm_migrate_pages; [`Facts::ABSENT`] without the tracepoint.
        migrate_reason,
        /// `MR_LONGTERM_PIN`, or before 5.14 `MR_CONTIG_RANGE`: the reason of migrations for long-term pin calls
        /// (`enum migrate_reason`).
        longterm_migration,
        /// 1 if the fields of struct page have the offsets of all known kernels and can be read in place, and the flags
        /// of the next two facts are in the lower half of the flags word.
        plain_pages,
        /// 1 if `plain_pages`, short-term pins have no extents, and `pin_user_pages_fast` has four parameters.
        short_pins,
        /// The bit of `pg_head` in the flags word.
        pg_head_mask,
        /// The bit of `pg_anon_exclusive`; 0 if the kernel has no such flag.
        pg_anon_exclusive_mask,
        /// Number of slots for chunks of the folio table, less one.
        chunk_slot_mask,
        /// 1 if backup programs are attached, so that the primary programs have to leave tokens.
        has_backups,
        /// 1 if the finding hooks have backup programs as well.
        mm_event_backups,
        /// 1 if the programs keep their thread on the CPU ([`crate::kfuncs::PREEMPTION`]).
        stays_on_cpu,
        /// BTF id of a struct of plain words as which the programs may load kernel memory (`rdonly_cast`); 0 if they
        /// may not.
        rdonly_cast_type,
    }
}

impl Facts {
    /// Offset of a field that the kernel does not have. The value is not `u32::MAX`, because the compiler would turn a
    /// comparison with that value into one with -1.
    pub const ABSENT: u32 = 0x7fff_ffff;
}
