//! The flags of a page, as /proc/kpageflags shows them: the kernel translates its own flags into stable numbers.

/// Numbers and names of the flags (include/uapi/linux/kernel-page-flags.h, include/linux/kernel-page-flags.h). The names
/// are those of tools/mm/page-types.c.
const NAMES: [(u32, &str); 35] = [
    (0, "locked"),
    (1, "error"),
    (2, "referenced"),
    (3, "uptodate"),
    (4, "dirty"),
    (5, "lru"),
    (6, "active"),
    (7, "slab"),
    (8, "writeback"),
    (9, "reclaim"),
    (10, "buddy"),
    (11, "mmap"),
    (12, "anonymous"),
    (13, "swapcache"),
    (14, "swapbacked"),
    (15, "compound_head"),
    (16, "compound_tail"),
    (17, "huge"),
    (18, "unevictable"),
    (19, "hwpoison"),
    (20, "nopage"),
    (21, "ksm"),
    (22, "thp"),
    (23, "offline"),
    (24, "zero_page"),
    (25, "idle_page"),
    (26, "pgtable"),
    (32, "reserved"),
    (33, "mlocked"),
    (34, "mappedtodisk"),
    (35, "private"),
    (36, "private_2"),
    (37, "owner_private"),
    (40, "softdirty"),
    (42, "arch_3"),
];

/// The page is in the swap cache.
pub(super) const SWAPCACHE: u64 = 1 << 13;
/// The page is part of a hugetlb page.
pub(super) const HUGE: u64 = 1 << 17;
/// The page has an error of the hardware.
pub(super) const HWPOISON: u64 = 1 << 19;
/// The page is the zero page, or part of the huge zero page.
pub(super) const ZERO_PAGE: u64 = 1 << 24;
/// The page has private data of its file system, which hold a reference.
pub(super) const PRIVATE: u64 = 1 << 35;
/// The page is free.
pub(super) const BUDDY: u64 = 1 << 10;
/// The struct page describes memory of the kernel, and its members have other meanings: slab, no page, offline, page
/// table.
pub(super) const KERNEL: u64 = 1 << 7 | 1 << 20 | 1 << 23 | 1 << 26;

/// The page is no longer, or never was, managed by the allocator of pages.
pub(super) const RESERVED: u64 = 1 << 32;
/// The page is one of KSM. Some kernels show the flag on each anonymous page: in `stable_page_flags`
/// (fs/proc/page.c) of 6.12, one of the two bits of `PAGE_MAPPING_KSM` is enough, and `PAGE_MAPPING_ANON` is one of them.
const KSM: u64 = 1 << 21;
/// The page is anonymous.
const ANON: u64 = 1 << 12;
/// The page is mapped to disk, or is an exclusive anonymous page: the kernel uses one bit for both.
const MAPPED_TO_DISK: u64 = 1 << 34;

/// Returns the names of the flags of a page. With `exclusive`, the kernel marks exclusive anonymous pages (5.19). With `merged`,
/// the mapping of the page says that KSM has merged the page.
pub(super) fn names(flags: u64, exclusive: bool, merged: bool) -> Vec<&'static str> {
    let flags = if merged { flags } else { flags & !KSM };
    let is_exclusive = exclusive && flags & ANON != 0 && flags & MAPPED_TO_DISK != 0;
    let shown = if is_exclusive {
        flags & !MAPPED_TO_DISK
    } else {
        flags
    };
    let set = NAMES.iter().filter(|(bit, _)| shown >> bit & 1 == 1);
    let mut names: Vec<_> = set.map(|(_, name)| *name).collect();
    if is_exclusive {
        names.push("anon_exclusive");
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_the_names_of_page_types() {
        assert_eq!(
            names(1 << 3 | ANON | HUGE, true, false),
            ["uptodate", "anonymous", "huge"]
        );
        assert_eq!(names(0, true, false), Vec::<&str>::new());
    }

    #[test]
    fn an_exclusive_page_is_not_mapped_to_disk() {
        assert_eq!(
            names(ANON | MAPPED_TO_DISK, true, false),
            ["anonymous", "anon_exclusive"]
        );
        assert_eq!(
            names(ANON | MAPPED_TO_DISK, false, false),
            ["anonymous", "mappedtodisk"]
        );
        assert_eq!(names(MAPPED_TO_DISK, true, false), ["mappedtodisk"]);
    }

    #[test]
    fn a_page_that_ksm_has_not_merged_is_none_of_ksm() {
        assert_eq!(names(ANON | KSM, true, false), ["anonymous"]);
        assert_eq!(names(ANON | KSM, true, true), ["anonymous", "ksm"]);
    }
}
