//! The finding hooks. pintrace knows who holds pins without these hooks.

use super::ledger::GUP_FAST;
use super::{ANY, Attachment, Candidate, Hook, Method, Purpose, with_backup, without_backup};

/// A hook with one candidate.
macro_rules! finding_hook {
    ($function:literal, $purpose:ident, $parameters:expr, $(or $or:expr,)? [$($program:literal $method:ident),+], $lost:expr) => {
        Hook {
            function: $function,
            purposes: &[Purpose::$purpose],
            parameters: $parameters,
            or: finding_hook!(@or $($or)?),
            optional: false,
            candidates: &[Candidate {
                attachments: &[$(with_backup!($program, $method)),+],
                lost: "",
            }],
            stands_in_for: None,
            lost: $lost,
        }
    };
    (@or) => { &[] };
    (@or $or:expr) => { $or };
}

const NEW_FOLIO: &[&str] = &["folio", "vma", "address"];
const NEW_PAGE: &[&str] = &["page", "vma", "address"];
const DROPPED: &str = "pinned ranges that MADV_DONTNEED drops";
const RELEASES: &str = "the end of direct I/O without pins";
const COPIES: &str = "copies of pinned pages, on write and by fork";

/// Functions that every kernel has, each under one of several names. If a kernel has none of the names of an entry, the
/// compiler has inlined the function into its caller, and calls are not seen. Kernels without hugetlb have no
/// `hugetlb_fault`, and need no function whose `given` is `hugetlb_fault`.
pub const ONE_OF: &[OneOf] = &[
    OneOf {
        any: &GUP_FAST,
        given: Some("pin_user_pages_fast"),
    },
    OneOf {
        any: &["do_wp_page"],
        given: None,
    },
    OneOf {
        any: &["folio_add_new_anon_rmap", "page_add_new_anon_rmap"],
        given: None,
    },
    OneOf {
        any: &["copy_user_large_folio", "copy_user_huge_page"],
        given: Some("hugetlb_fault"),
    },
    OneOf {
        any: &["hugetlb_add_new_anon_rmap", "hugepage_add_new_anon_rmap"],
        given: Some("hugetlb_fault"),
    },
    OneOf {
        any: &["copy_page_range"],
        given: None,
    },
    OneOf {
        any: &["unmap_vmas"],
        given: None,
    },
    OneOf {
        any: &["madvise_do_behavior", "do_madvise", "zap_page_range"],
        given: None,
    },
    OneOf {
        any: &["unmap_mapping_range"],
        given: None,
    },
    OneOf {
        any: &["exit_mmap"],
        given: None,
    },
    OneOf {
        any: &["clear_inode"],
        given: None,
    },
    OneOf {
        any: &["flush_tlb_mm_range"],
        given: None,
    },
    OneOf {
        any: &["change_protection"],
        given: None,
    },
    OneOf {
        any: &["tlb_finish_mmu"],
        given: None,
    },
];

/// The names of one function on different kernels (see [`ONE_OF`]).
#[derive(Clone, Copy, Debug)]
pub struct OneOf {
    /// Names.
    pub any: &'static [&'static str],
    /// The entry applies only to kernels with this function.
    pub given: Option<&'static str>,
}

/// The finding hooks. A copy of a page passes all copy hooks that the kernel has. Functions between the entry and the
/// return of `do_wp_page` are inlined on some kernels, and so have no hooks.
pub(super) const FINDING_HOOKS: &[Hook] = &[
    finding_hook!(
        "do_wp_page",
        Copy,
        &["vmf"],
        ["leave_do_wp_page" Fexit, "enter_do_wp_page" Fentry],
        "copies of pinned small pages; faults while a flush is pending"
    ),
    Hook {
        lost: COPIES,
        ..finding_hook!("folio_add_new_anon_rmap", Copy, NEW_FOLIO, ["enter_folio_add_new_anon_rmap" Fentry], "-")
    },
    // The name of folio_add_new_anon_rmap before folios existed.
    Hook {
        lost: COPIES,
        ..finding_hook!("page_add_new_anon_rmap", Copy, NEW_PAGE, ["enter_page_add_new_anon_rmap" Fentry], "-")
    },
    finding_hook!(
        "hugetlb_fault",
        Copy,
        &["mm", "vma", "address", "flags"],
        ["leave_hugetlb_fault" Fexit, "enter_hugetlb_fault" Fentry],
        "copies of pinned hugetlb pages"
    ),
    finding_hook!(
        "copy_user_large_folio",
        Copy,
        &["dst", "src"],
        ["enter_copy_user_large_folio" Fentry],
        "copies of pinned hugetlb pages"
    ),
    finding_hook!(
        "copy_user_huge_page",
        Copy,
        &["dst", "src"],
        ["enter_copy_user_huge_page" Fentry],
        "copies of pinned hugetlb pages"
    ),
    Hook {
        lost: COPIES,
        ..finding_hook!("hugetlb_add_new_anon_rmap", Copy, NEW_FOLIO, ["enter_hugetlb_add_new_anon_rmap" Fentry], "-")
    },
    Hook {
        lost: COPIES,
        ..finding_hook!("hugepage_add_new_anon_rmap", Copy, NEW_PAGE, ["enter_hugepage_add_new_anon_rmap" Fentry], "-")
    },
    // Attached only with --foll-get.
    finding_hook!(
        "get_user_pages_fast",
        Reference,
        &["start", "nr_pages", "gup_flags", "pages"],
        ["leave_get_user_pages_fast" Fexit],
        "copies of pages that are held by a reference without a pin"
    ),
    finding_hook!(
        "bio_iov_iter_get_pages",
        Reference,
        &["bio"],
        ["leave_bio_iov_iter_get_pages" Fexit],
        RELEASES
    ),
    Hook {
        optional: true,
        ..finding_hook!(
        "__bio_release_pages",
        Reference,
        &["bio"],
        ["enter_inner_bio_release_pages" Fentry],
        RELEASES
        )
    },
    // The name of __bio_release_pages up to about 5.15.
    Hook {
        optional: true,
        ..finding_hook!("bio_release_pages", Reference, &["bio"], ["enter_bio_release_pages" Fentry], RELEASES)
    },
    finding_hook!(
        "copy_page_range",
        Fork,
        &["dst_vma", "src_vma"],
        ["leave_copy_page_range" Fexit, "enter_copy_page_range" Fentry],
        "pinned pages that fork copies"
    ),
    finding_hook!(
        "unmap_vmas",
        Mapping,
        &["tlb", "vma", "start_addr", "end_addr"],
        or &[&["tlb", ANY, "vma", "start_addr", "end_addr"], &["tlb", "unmap"]],
        ["enter_unmap_vmas" Fentry],
        "pinned ranges that are unmapped"
    ),
    finding_hook!(
        "move_page_tables",
        Mapping,
        &[ANY],
        ["enter_move_page_tables" Fentry],
        "pinned ranges that mremap moves without unmapping them (MREMAP_DONTUNMAP)"
    ),
    // madvise and process_madvise both call this function, since 6.15.
    finding_hook!(
        "madvise_do_behavior",
        Mapping,
        &["start", "len_in", "madv_behavior"],
        or &[&["mm", "start", "len_in", "madv_behavior"]],
        ["leave_madvise_do_behavior" Fexit, "enter_madvise_do_behavior" Fentry],
        "pinned ranges that process_madvise drops"
    ),
    // Before 6.13 process_madvise drops no pages.
    Hook {
        stands_in_for: Some("madvise_do_behavior"),
        ..finding_hook!(
        "do_madvise",
        Mapping,
        &["mm", "start", "len_in", "behavior"],
        ["leave_do_madvise" Fexit, "enter_do_madvise" Fentry],
        "pinned ranges that madvise drops"
        )
    },
    // Needed where do_madvise is inlined into the system call (5.10).
    finding_hook!(
        "zap_page_range",
        Mapping,
        &["vma", "start", "size"],
        ["enter_zap_page_range" Fentry],
        "pinned ranges that MADV_DONTNEED drops, where do_madvise is inlined"
    ),
    finding_hook!(
        "zap_page_range_single",
        Mapping,
        &["vma", "address", "size"],
        ["enter_zap_single" Fentry],
        DROPPED
    ),
    finding_hook!(
        "zap_page_range_single_batched",
        Mapping,
        &["tlb", "vma", "address", "size"],
        ["enter_zap_single_batched" Fentry],
        DROPPED
    ),
    // The later name of zap_page_range_single_batched.
    finding_hook!(
        "zap_vma_range_batched",
        Mapping,
        &["tlb", "vma", "address", "size"],
        ["enter_zap_vma_batched" Fentry],
        DROPPED
    ),
    Hook {
        optional: true,
        ..finding_hook!(
        "madvise_free_single_vma",
        Mapping,
        &["vma", "start_addr", "end_addr"],
        ["enter_madvise_free" Fentry],
        "pinned ranges that MADV_FREE drops, where do_madvise is inlined"
        )
    },
    finding_hook!(
        "unmap_mapping_range",
        Mapping,
        &["mapping", "holebegin", "holelen", "even_cows"],
        ["enter_unmap_mapping_range" Fentry],
        "truncation of files with pinned pages"
    ),
    Hook {
        optional: true,
        ..finding_hook!(
        "remove_inode_hugepages",
        Mapping,
        &["inode", "lstart", "lend"],
        ["enter_remove_inode_hugepages" Fentry],
        "truncation of hugetlbfs files with pinned pages"
        )
    },
    finding_hook!(
        "do_pagemap_cmd",
        Mapping,
        &[ANY, ANY, ANY],
        ["leave_do_pagemap_cmd" Fexit, "enter_do_pagemap_cmd" Fentry],
        "pinned ranges that the ioctl PAGEMAP_SCAN write-protects"
    ),
    finding_hook!(
        "exit_mmap",
        Mapping,
        &["mm"],
        ["enter_exit_mmap" Fentry],
        "pins that outlive their mm; entries of the range filter are not freed"
    ),
    finding_hook!(
        "io_uring_release",
        Mapping,
        &["inode", "file"],
        ["enter_io_uring_release" Fentry],
        "the end of io_urings: pins that a worker is about to release are taken for pins that stay"
    ),
    finding_hook!(
        "xsk_release",
        Mapping,
        &["sock"],
        ["enter_xsk_release" Fentry],
        "the end of AF_XDP sockets: pins that a worker is about to release are taken for pins that stay"
    ),
    finding_hook!(
        "clear_inode",
        Mapping,
        &["inode"],
        ["enter_clear_inode" Fentry],
        "the end of files with pinned pages: a later file at the same kernel address is taken for the old file"
    ),
    finding_hook!(
        "clear_refs_write",
        Window,
        &[ANY, ANY, ANY, ANY],
        ["leave_clear_refs_write" Fexit, "enter_clear_refs_write" Fentry],
        "soft-dirty write protection"
    ),
    finding_hook!(
        "flush_tlb_mm_range",
        Window,
        &["mm", "start", "end"],
        ["enter_flush_tlb_mm_range" Fentry],
        "soft-dirty write protection, and copies of pinned pages inside flush windows"
    ),
    Hook {
        function: "change_protection",
        purposes: &[Purpose::Window, Purpose::Mapping],
        parameters: &["vma", "start", "end", "newprot", "cp_flags"],
        or: &[
            &["tlb", "vma", "start", "end", "newprot", "cp_flags"],
            &["tlb", "vma", "start", "end", "cp_flags"],
        ],
        optional: false,
        candidates: &[
            Candidate {
                attachments: &[
                    with_backup!(
                        "leave_change_protection",
                        Fexit,
                        "leave_change_protection_backup2"
                    ),
                    with_backup!("enter_change_protection", Fentry),
                ],
                lost: "",
            },
            Candidate {
                attachments: &[
                    without_backup("probe_return_change_protection", Method::Kretprobe),
                    without_backup("probe_change_protection", Method::Kprobe),
                ],
                lost: "more time per call; write protection of another process's memory is not seen",
            },
        ],
        stands_in_for: None,
        lost: "flush windows; pinned ranges that are write-protected",
    },
    Hook {
        function: "tlb_finish_mmu",
        purposes: &[Purpose::Window],
        parameters: &["tlb"],
        or: &[],
        optional: false,
        candidates: &[Candidate {
            attachments: &[with_backup!("leave_tlb_finish_mmu", Fexit)],
            lost: "",
        }],
        stands_in_for: None,
        lost: "the times at which flush windows close",
    },
];
