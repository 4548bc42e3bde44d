//! Reads the kernel facts for the finding hooks from BTF.

use pintrace_common::mm_events::{MmEventFacts, advice, protect, unmap};

use super::btf::Types;
use super::layout::UnknownLayout;

/// Functions that MADV_DONTNEED calls for each vma, on one kernel or another (mm/memory.c). The table of hooks has each.
const DROPS_VMA: &[&str] = &[
    "zap_page_range",
    "zap_page_range_single",
    "zap_page_range_single_batched",
    "zap_vma_range_batched",
];

/// Collects the facts. `parameters` returns the parameter names of a function; empty if the function does not exist.
pub fn mm_event_facts<'a>(
    types: &impl Types,
    parameters: impl Fn(&str) -> &'a [String],
) -> Result<MmEventFacts, UnknownLayout> {
    let offset = |container: &str, names: &[&str]| {
        types.offset(container, names).ok_or_else(|| UnknownLayout {
            what: format!("{container}.{}", names.join(" or ")),
        })
    };
    let enums = types.enumerators(&[
        "FAULT_FLAG_UNSHARE",
        "PG_anon_exclusive",
        "PG_lru",
        "PG_swapcache",
    ]);
    let flag = |name: &str| {
        enums.get(name).copied().ok_or_else(|| UnknownLayout {
            what: format!("enumerator {name}"),
        })
    };
    let (unmap_prototype, unmap_start, unmap_end) = match parameters("unmap_vmas") {
        [_, second, ..] if second == "vma" => (unmap::VMA, 0, 0),
        [_, second] if second == "unmap" => (
            unmap::UNMAP_DESC,
            offset("unmap_desc", &["vma_start"])?,
            offset("unmap_desc", &["vma_end"])?,
        ),
        _ => (unmap::TREE, 0, 0),
    };
    let (advice_prototype, advice_mm) = match parameters("madvise_do_behavior") {
        [first, ..] if first == "start" => (advice::WITHOUT_MM, offset("madvise_behavior", &["mm"])?),
        _ => (advice::WITH_MM, 0),
    };
    let protect_prototype = match parameters("change_protection") {
        [first, ..] if first == "vma" => protect::WITHOUT_TLB,
        with if with.iter().any(|name| name == "newprot") => protect::TLB_AND_NEWPROT,
        _ => protect::TLB,
    };
    Ok(MmEventFacts {
        fault_vma: offset("vm_fault", &["vma"])?,
        fault_address: offset("vm_fault", &["address"])?,
        fault_flags: offset("vm_fault", &["flags"])?,
        fault_page: offset("vm_fault", &["page"])?,
        unshare: enums.get("FAULT_FLAG_UNSHARE").copied().unwrap_or(0),
        vma_mm: offset("vm_area_struct", &["vm_mm"])?,
        vma_flags: offset("vm_area_struct", &["vm_flags"])?,
        mm_users: offset("mm_struct", &["mm_users"])?,
        flush_pending: offset("mm_struct", &["tlb_flush_pending"])?,
        gather_mm: offset("mmu_gather", &["mm"])?,
        page_mapping: offset("page", &["mapping"])?,
        page_index: types
            .offset("folio", &["index"])
            .map_or_else(|| offset("page", &["index"]), Ok)?,
        regs_syscall: offset("pt_regs", &["orig_ax"])?,
        regs_first: offset("pt_regs", &["di"])?,
        regs_second: offset("pt_regs", &["si"])?,
        regs_third: offset("pt_regs", &["dx"])?,
        regs_fourth: offset("pt_regs", &["r10"])?,
        thread_status: offset("task_struct", &["thread_info"])? + offset("thread_info", &["status"])?,
        socket_file: offset("socket", &["file"])?,
        regs_bytes: types.size("pt_regs").ok_or_else(|| UnknownLayout {
            what: "size of pt_regs".to_owned(),
        })?,
        unmap_prototype,
        unmap_start,
        unmap_end,
        advice_prototype,
        // Only the hooks on `madvise_do_behavior` read the offset, on kernels that have the struct.
        advice_behavior: types.offset("madvise_behavior", &["behavior"]).unwrap_or(0),
        advice_per_vma: u32::from(DROPS_VMA.iter().any(|function| !parameters(function).is_empty())),
        advice_mm,
        protect_prototype,
        exclusive: u32::from(enums.contains_key("PG_anon_exclusive")),
        inode_data: offset("inode", &["i_data"])?,
        inode_count: offset("inode", &["i_count"])?,
        inode_block_bits: offset("inode", &["i_blkbits"])?,
        address_space_host: offset("address_space", &["host"])?,
        // 6.7 changed the unit of the index, and removed this function, which computed the index in small pages.
        hugetlb_index: u32::from(!parameters("hugetlb_basepage_index").is_empty()),
        pg_lru: flag("PG_lru")?,
        pg_swapcache: flag("PG_swapcache")?,
        bio_vecs: offset("bio", &["bi_io_vec"])?,
        bio_vec_count: offset("bio", &["bi_vcnt"])?,
        bio_releases: u32::from(
            ["__bio_release_pages", "bio_release_pages"]
                .iter()
                .any(|function| !parameters(function).is_empty()),
        ),
        findings: 0,
        short_term: 0,
        foll_get: 0,
        all_windows: 0,
    })
}
