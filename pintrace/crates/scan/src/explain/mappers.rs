//! The processes that map a page, by the kernel's reverse map. Each is verified by the page table of the process.

use std::path::PathBuf;

use pintrace_kernel::pagemap::{self, Entry};
use pintrace_kernel::scan_layout::Rmap;
use pintrace_kernel::vma;

use super::folio::FolioRead;
use crate::kernel_memory::KernelMemory;
use crate::rmap;

/// A mapping of the page.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mapper {
    /// Pid of the process.
    pub pid: u32,
    /// User address of the page.
    pub address: u64,
    /// Name of the mapping, such as a path or `[heap]`; empty for anonymous memory without a name.
    pub name: String,
}

/// The mappings of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mappers {
    /// The mappings, by pid and address.
    pub(super) found: Vec<Mapper>,
    /// The search ended before all mappings of the file or of the anonymous memory were read.
    pub(super) more: bool,
}

/// Most vmas of a file that are read.
const MOST_VMAS: usize = 4096;

/// Finds the mappings of page `folio.place.page` of a folio. `process` returns the pid and the folder below
/// /proc of the process with a pid of the initial namespace; `None` if the process is outside of the namespace of /proc.
pub(super) fn find(
    memory: &dyn KernelMemory,
    layout: &Rmap,
    folio: &FolioRead,
    process: impl Fn(u32) -> Option<(u32, PathBuf)>,
) -> Mappers {
    let pfn = folio.place.pfn + folio.place.page;
    let mut mappers = Mappers::default();
    // Before 6.7, the index of a hugetlb page counts huge pages. The page table shows which unit is right.
    let units = [0, folio.place.order];
    let mut check = |vma: &rmap::Covered| {
        for unit in units.iter().take(if folio.place.order == 0 { 1 } else { 2 }) {
            let Some(first) = folio.index.checked_shl((*unit).into()) else {
                continue;
            };
            let index = first.wrapping_add(folio.place.page);
            let Some(page) = index.checked_sub(vma.indices.start) else {
                continue;
            };
            if index >= vma.indices.end {
                continue;
            }
            let address = vma.start + (page << 12);
            let Some((pid, folder)) = process(vma.pid) else {
                continue;
            };
            if pagemap::entry(&folder, address) == Ok(Entry::Present(pfn)) {
                let name = vma::find(&folder, address).ok().flatten().map(|vma| vma.name);
                mappers.found.push(Mapper {
                    pid,
                    address,
                    name: name.unwrap_or_default(),
                });
                break;
            }
        }
        false
    };
    let complete = rmap::visit(memory, layout, folio.mapping, MOST_VMAS, &mut check);
    mappers.more = !complete;
    mappers.found.sort_by_key(|mapper| (mapper.pid, mapper.address));
    mappers.found.dedup();
    mappers
}
