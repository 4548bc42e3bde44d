//! Hooks that look for findings. None of them is needed to know who holds what.

use super::{ANY, Attachment, Candidate, Hook, Method, Purpose, with_backup, without_backup};

/// A hook with one way.
macro_rules! watch {
    ($function:literal, $purpose:ident, $parameters:expr, $(or $or:expr,)? [$($program:literal $method:ident),+], $lost:literal) => {
        Hook {
            function: $function,
            purposes: &[Purpose::$purpose],
            parameters: $parameters,
            or: watch!(@or $($or)?),
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
const COPIES: &str = "copies of pinned pages, and those that fork makes";

/// Functions of which every kernel has one, under the name that it has there: where none is to be found, the compiler
/// has put it into its caller, and what it does is not seen. Kernels without hugetlb have no `hugetlb_fault`, and need
/// none of those after it.
pub const ONE_OF: &[OneOf] = &[
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

/// See [`ONE_OF`].
#[derive(Clone, Copy, Debug)]
pub struct OneOf {
    /// The names.
    pub any: &'static [&'static str],
    /// Only where there is this function.
    pub given: Option<&'static str>,
}

/// Whoever copies comes by all of these of its kernel; what lies between the entry and the return of the first is
/// inlined here and there.
pub(super) const FINDING_HOOKS: &[Hook] = &[
    watch!(
        "do_wp_page",
        Copy,
        &["vmf"],
        ["leave_do_wp_page" Fexit, "enter_do_wp_page" Fentry],
        "copies of pinned small pages; faults while a flush is pending"
    ),
    Hook {
        lost: COPIES,
        ..watch!("folio_add_new_anon_rmap", Copy, NEW_FOLIO, ["enter_folio_add_new_anon_rmap" Fentry], "-")
    },
    // What it was called before there were folios.
    Hook {
        lost: COPIES,
        ..watch!("page_add_new_anon_rmap", Copy, NEW_PAGE, ["enter_page_add_new_anon_rmap" Fentry], "-")
    },
    watch!(
        "hugetlb_fault",
        Copy,
        &["mm", "vma", "address", "flags"],
        ["leave_hugetlb_fault" Fexit, "enter_hugetlb_fault" Fentry],
        "copies of pinned hugetlb pages"
    ),
    watch!(
        "copy_user_large_folio",
        Copy,
        &["dst", "src"],
        ["enter_copy_user_large_folio" Fentry],
        "copies of pinned hugetlb pages"
    ),
    watch!(
        "copy_user_huge_page",
        Copy,
        &["dst", "src"],
        ["enter_copy_user_huge_page" Fentry],
        "copies of pinned hugetlb pages"
    ),
    Hook {
        lost: COPIES,
        ..watch!("hugetlb_add_new_anon_rmap", Copy, NEW_FOLIO, ["enter_hugetlb_add_new_anon_rmap" Fentry], "-")
    },
    Hook {
        lost: COPIES,
        ..watch!("hugepage_add_new_anon_rmap", Copy, NEW_PAGE, ["enter_hugepage_add_new_anon_rmap" Fentry], "-")
    },
    // Only where it is asked for.
    watch!(
        "get_user_pages_fast",
        Reference,
        &["start", "nr_pages", "gup_flags", "pages"],
        ["leave_get_user_pages_fast" Fexit],
        "copies of pages that somebody has a reference to and no pin"
    ),
    watch!(
        "copy_page_range",
        Fork,
        &["dst_vma", "src_vma"],
        ["leave_copy_page_range" Fexit, "enter_copy_page_range" Fentry],
        "pinned pages that fork copies"
    ),
    watch!(
        "unmap_vmas",
        Mapping,
        &["tlb", "vma", "start_addr", "end_addr"],
        or &[&["tlb", ANY, "vma", "start_addr", "end_addr"], &["tlb", "unmap"]],
        ["enter_unmap_vmas" Fentry],
        "pinned ranges that are unmapped"
    ),
    watch!(
        "move_page_tables",
        Mapping,
        &[ANY],
        ["enter_move_page_tables" Fentry],
        "pinned ranges that mremap moves without unmapping them (MREMAP_DONTUNMAP)"
    ),
    // What madvise and process_madvise have in common, since 6.15.
    watch!(
        "madvise_do_behavior",
        Mapping,
        &["start", "len_in", "madv_behavior"],
        or &[&["mm", "start", "len_in", "madv_behavior"]],
        ["leave_madvise_do_behavior" Fexit, "enter_madvise_do_behavior" Fentry],
        "pinned ranges that process_madvise takes away"
    ),
    // Until 6.13 process_madvise takes nothing away.
    Hook {
        stands_in_for: Some("madvise_do_behavior"),
        ..watch!(
        "do_madvise",
        Mapping,
        &["mm", "start", "len_in", "behavior"],
        ["leave_do_madvise" Fexit, "enter_do_madvise" Fentry],
        "pinned ranges that madvise takes away"
        )
    },
    // Where do_madvise is inlined into the system call (5.10).
    watch!(
        "zap_page_range",
        Mapping,
        &["vma", "start", "size"],
        ["enter_zap_page_range" Fentry],
        "pinned ranges that MADV_DONTNEED takes away, where do_madvise is inlined"
    ),
    Hook {
        optional: true,
        ..watch!(
        "madvise_free_single_vma",
        Mapping,
        &["vma", "start_addr", "end_addr"],
        ["enter_madvise_free" Fentry],
        "pinned ranges that MADV_FREE gives up, where do_madvise is inlined"
        )
    },
    watch!(
        "unmap_mapping_range",
        Mapping,
        &["mapping", "holebegin", "holelen", "even_cows"],
        ["enter_unmap_mapping_range" Fentry],
        "files that are truncated under pinned pages"
    ),
    watch!(
        "exit_mmap",
        Mapping,
        &["mm"],
        ["enter_exit_mmap" Fentry],
        "pins that outlive their address space; and entries of the table of watched ones are not given back"
    ),
    watch!(
        "clear_inode",
        Mapping,
        &["inode"],
        ["enter_clear_inode" Fentry],
        "the end of files that pinned pages are of: a later one at the same address is taken for it"
    ),
    watch!(
        "clear_refs_write",
        Window,
        &[ANY, ANY, ANY, ANY],
        ["leave_clear_refs_write" Fexit, "enter_clear_refs_write" Fentry],
        "soft-dirty write protection"
    ),
    watch!(
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
                lost: "more time a call; another process's memory that is write-protected is not told",
            },
        ],
        stands_in_for: None,
        lost: "pending-flush windows; pinned ranges that are write-protected",
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
        lost: "when pending-flush windows close",
    },
];
