//! Finds a process that maps a page, by the kernel's reverse map, where the page tables of other processes cannot be
//! read any more. The structures may change during the search. So a result counts only if the search ends at a vma that
//! covers the page.

use std::collections::HashMap;
use std::ops::Range;

use super::kernel_memory::KernelMemory;
use super::object::Object;
use pintrace_kernel::scan_layout::Rmap;

/// Most nodes of a tree that a search reads.
const MOST_NODES: usize = 64;
/// Low bits of `page.mapping`, which are flags.
const FLAGS: u64 = 3;
/// The flags of anonymous memory.
const ANON: u64 = 1;
/// Offsets of the children in `struct rb_node`: the first word is the parent and the colour.
const RIGHT: u64 = 8;
const LEFT: u64 = 16;

/// A search for the owners of pages. A vma that was found for one page is kept, and answers for other pages.
pub struct Owners<'o> {
    object: &'o Object,
    rmap: &'o Rmap,
    /// By `page.mapping`: the page indices that a vma covers, and the pid of its process.
    known: HashMap<u64, Vec<(Range<u64>, u32)>>,
}

impl<'o> Owners<'o> {
    /// Creates a search without known vmas.
    pub fn new(object: &'o Object, rmap: &'o Rmap) -> Self {
        Self {
            object,
            rmap,
            known: HashMap::new(),
        }
    }

    /// Returns the pid of a process that maps the page. `page` is the address of the struct page. If several processes
    /// map the page, returns the first process found.
    pub fn of(&mut self, page: u64) -> Option<u32> {
        let words = self
            .object
            .probe_read(page)
            .ok()
            .filter(|read| read.readable == 1)?
            .words;
        let word = |offset: u32| words.get(offset as usize / 8).copied();
        let (mapping, index) = (word(self.rmap.page_mapping)?, word(self.rmap.page_index)?);
        let known = self.known.entry(mapping).or_default();
        if let Some((_, pid)) = known.iter().find(|(indices, _)| indices.contains(&index)) {
            return Some(*pid);
        }
        let found = search(self.object, self.rmap, mapping, index)?;
        let pid = found.1;
        known.push(found);
        Some(pid)
    }
}

/// A vma that the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Covered {
    /// The page indices that the vma covers.
    pub(crate) indices: Range<u64>,
    /// User address of the first page.
    pub(crate) start: u64,
    /// Pid of the owner of the mm.
    pub(crate) pid: u32,
}

/// Searches the tree of vmas of an `anon_vma` or of a file for a vma that covers page `index`.
fn search(object: &Object, rmap: &Rmap, mapping: u64, index: u64) -> Option<(Range<u64>, u32)> {
    let mut found = None;
    visit(object, rmap, mapping, MOST_NODES, &mut |vma| {
        if vma.indices.contains(&index) {
            found = Some((vma.indices.clone(), vma.pid));
        }
        found.is_some()
    });
    found
}

/// Calls `take` with each vma of the tree of an `anon_vma` or of a file, until `take` returns true. Returns false if the
/// tree has more than `most` vmas.
pub(crate) fn visit(
    memory: &dyn KernelMemory,
    rmap: &Rmap,
    mapping: u64,
    most: usize,
    take: &mut dyn FnMut(&Covered) -> bool,
) -> bool {
    let anonymous = mapping & FLAGS == ANON;
    let root = if anonymous {
        (mapping & !FLAGS) + u64::from(rmap.anon_root)
    } else if mapping != 0 && mapping & FLAGS == 0 {
        mapping + u64::from(rmap.file_root)
    } else {
        return true;
    };
    let mut nodes: Vec<u64> = memory.pointer(root).into_iter().collect();
    let mut seen = 0;
    while let Some(node) = nodes.pop() {
        if seen == most {
            return false;
        }
        seen += 1;
        let vma = if anonymous {
            let chain = node.wrapping_sub(u64::from(rmap.chain_node));
            memory.word(chain.wrapping_add(u64::from(rmap.chain_vma)))
        } else {
            Some(node.wrapping_sub(u64::from(rmap.vma_node)))
        };
        if let Some(covered) = vma.and_then(|vma| covered(memory, rmap, vma))
            && take(&covered)
        {
            return true;
        }
        let children = [LEFT, RIGHT].into_iter();
        nodes.extend(children.filter_map(|child| memory.pointer(node.wrapping_add(child))));
    }
    true
}

/// Returns the page indices that a vma covers, and the pid of the owner of its mm.
fn covered(memory: &dyn KernelMemory, rmap: &Rmap, vma: u64) -> Option<Covered> {
    let read = |offset: u32| memory.word(vma.wrapping_add(u64::from(offset)));
    let (start, end) = (read(rmap.vma_start)?, read(rmap.vma_end)?);
    let first = read(rmap.vma_pgoff)?;
    let pages = end.checked_sub(start)? >> 12;
    let mm = read(rmap.vma_mm)?;
    let task = memory.word(mm.wrapping_add(u64::from(rmap.mm_owner)))?;
    let pid = memory.half(task.wrapping_add(u64::from(rmap.task_tgid)))?;
    Some(Covered {
        indices: first..first.checked_add(pages)?,
        start,
        pid: Some(pid).filter(|pid| *pid != 0)?,
    })
}
