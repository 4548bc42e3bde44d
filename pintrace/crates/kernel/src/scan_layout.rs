//! Reads the kernel facts for the scan from BTF.

use std::collections::BTreeMap;

use pintrace_common::facts::Facts;
use pintrace_common::scan::{PAGE_STRUCT, ScanFacts, buddy};

use crate::btf::Types;
use crate::layout::{PIN_BIAS, UnknownLayout, large};
use crate::table_layout::TableLayouts;

/// Offsets in bytes of the pointers that user space follows from a task to the first page of one of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// `task_struct.files`.
    pub task_files: u32,
    /// `files_struct.fdt`.
    pub files_fdt: u32,
    /// `fdtable.fd`.
    pub fdt_fd: u32,
    /// `file.f_mapping`.
    pub file_mapping: u32,
    /// `address_space.i_pages.xa_head`.
    pub mapping_first: u32,
}

/// Offsets in bytes of the pointers that user space follows from a page to the processes that map the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rmap {
    /// `page.mapping`.
    pub page_mapping: u32,
    /// `page.index`.
    pub page_index: u32,
    /// `anon_vma.rb_root.rb_root.rb_node`: an `rb_root_cached` begins with an `rb_root`, and that with the top node.
    pub anon_root: u32,
    /// `anon_vma_chain.rb`.
    pub chain_node: u32,
    /// `anon_vma_chain.vma`.
    pub chain_vma: u32,
    /// `address_space.i_mmap.rb_root.rb_node`, also in an `rb_root_cached`.
    pub file_root: u32,
    /// `vm_area_struct.shared.rb`.
    pub vma_node: u32,
    /// `vm_area_struct.vm_start`.
    pub vma_start: u32,
    /// `vm_area_struct.vm_end`.
    pub vma_end: u32,
    /// `vm_area_struct.vm_pgoff`.
    pub vma_pgoff: u32,
    /// `vm_area_struct.vm_mm`.
    pub vma_mm: u32,
    /// `mm_struct.owner`.
    pub mm_owner: u32,
    /// `task_struct.tgid`.
    pub task_tgid: u32,
}

impl Rmap {
    fn of(types: &impl Types) -> Option<Self> {
        let offset = |container: &str, name: &str| types.offset(container, &[name]);
        Some(Self {
            page_mapping: offset("page", "mapping")?,
            page_index: types.offset("page", &["index", "__folio_index"])?,
            anon_root: offset("anon_vma", "rb_root")?,
            chain_node: offset("anon_vma_chain", "rb")?,
            chain_vma: offset("anon_vma_chain", "vma")?,
            file_root: offset("address_space", "i_mmap")?,
            vma_node: offset("vm_area_struct", "shared")?,
            vma_start: offset("vm_area_struct", "vm_start")?,
            vma_end: offset("vm_area_struct", "vm_end")?,
            vma_pgoff: offset("vm_area_struct", "vm_pgoff")?,
            vma_mm: offset("vm_area_struct", "vm_mm")?,
            mm_owner: offset("mm_struct", "owner")?,
            task_tgid: offset("task_struct", "tgid")?,
        })
    }
}

/// The facts that are injected into the scan programs, and the offsets that user space follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Facts for the scan programs.
    pub facts: ScanFacts,
    /// `mm_flags` is the offset of `mm_struct.has_pinned` (up to 5.13), in which any bit says that the mm has pinned.
    pub pinned_is_a_field: bool,
    /// From a task to a page.
    pub path: Path,
    /// From a page to processes; `None` if BTF lacks one of the offsets.
    pub rmap: Option<Rmap>,
    /// `mm_struct.mmap` and `vm_area_struct.vm_next`; `None` where the vmas are in a tree (6.1 and later).
    pub vma_list: Option<(u32, u32)>,
    /// From an open file to the pages that the file holds.
    pub tables: TableLayouts,
}

/// Collects facts and offsets. Fails if BTF lacks a fact, or if `struct page` is not [`PAGE_STRUCT`] bytes long.
pub fn layout(types: &impl Types) -> Result<Layout, UnknownLayout> {
    let offset = |container: &str, names: &[&str]| {
        types.offset(container, names).ok_or_else(|| UnknownLayout {
            what: format!("{container}.{}", names.join(" or ")),
        })
    };
    let bytes = types.size("page").unwrap_or(0);
    if bytes as usize != PAGE_STRUCT {
        return Err(UnknownLayout {
            what: format!("struct page of {PAGE_STRUCT} bytes (its size is {bytes})"),
        });
    }
    let enums = types.enumerators(&[
        "PG_head",
        "PG_uptodate",
        "PG_anon_exclusive",
        "PGTY_buddy",
        "PG_buddy",
    ]);
    let enumerator = |name: &str| {
        enums.get(name).copied().ok_or_else(|| UnknownLayout {
            what: format!("enumerator {name}"),
        })
    };
    let (buddy, pgty_buddy) = buddy(&enums);
    let large = large(types, bytes)?;
    let has_pinned = types.offset("mm_struct", &["has_pinned"]);
    let facts = ScanFacts {
        page_flags: offset("page", &["flags"])?,
        page_mapping: offset("page", &["mapping"])?,
        page_mapcount: offset("page", &["_mapcount"])?,
        page_refcount: offset("page", &["_refcount"])?,
        page_private: offset("page", &["private"])?,
        pg_head: enumerator("PG_head")?,
        buddy,
        pgty_buddy,
        folio_nr_pages: large.nr_pages,
        folio_pincount: large.pincount,
        pincount_order: large.pincount_order,
        pin_bias: PIN_BIAS,
        task_mm: offset("task_struct", &["mm"])?,
        task_tgid: offset("task_struct", &["tgid"])?,
        mm_flags: match has_pinned {
            Some(offset) => offset,
            None => offset("mm_struct", &["flags"])?,
        },
        pg_uptodate: enumerator("PG_uptodate")?,
        pg_anon_exclusive: enums.get("PG_anon_exclusive").copied().unwrap_or(Facts::ABSENT),
        // The loader fills in the number of the type.
        folio_type: 0,
        task_pid: offset("task_struct", &["pid"])?,
        task_io_uring: types
            .offset("io_uring_task", &["registered_rings"])
            .and_then(|_| types.offset("task_struct", &["io_uring"]))
            .unwrap_or(0),
        file_op: offset("file", &["f_op"])?,
        op_release: offset("file_operations", &["release"])?,
        file_private: offset("file", &["private_data"])?,
        socket_sk: offset("socket", &["sk"])?,
        sock_family: offset("sock", &["__sk_common"])? + offset("sock_common", &["skc_family"])?,
        vma_file: offset("vm_area_struct", &["vm_file"])?,
        vma_start: offset("vm_area_struct", &["vm_start"])?,
    };
    let path = Path {
        task_files: offset("task_struct", &["files"])?,
        files_fdt: offset("files_struct", &["fdt"])?,
        fdt_fd: offset("fdtable", &["fd"])?,
        file_mapping: offset("file", &["f_mapping"])?,
        mapping_first: offset("address_space", &["i_pages"])? + offset("xarray", &["xa_head"])?,
    };
    Ok(Layout {
        facts,
        pinned_is_a_field: has_pinned.is_some(),
        path,
        rmap: Rmap::of(types),
        vma_list: types
            .offset("mm_struct", &["mmap"])
            .zip(types.offset("vm_area_struct", &["vm_next"])),
        tables: TableLayouts::of(types),
    })
}

/// Returns the form in which `struct page` marks a free block, and the value of `PGTY_buddy`. 6.11 has a form that is
/// not supported, and counts as unknown.
fn buddy(enums: &BTreeMap<String, u32>) -> (u32, u32) {
    match (enums.get("PGTY_buddy"), enums.get("PG_buddy")) {
        (Some(value), _) => (buddy::TOP_BYTE, *value),
        (None, Some(_)) => (buddy::UNKNOWN, 0),
        (None, None) => (buddy::CLEARED_BIT, 0),
    }
}
