//! Whose a page is, from the kernel's own reverse map: for pages that turn up without a holder, when page tables of
//! others may no longer be read. The structures may change while they are followed; what comes out is believed only if it
//! leads to an address space that covers the page.

use std::collections::HashMap;
use std::ops::Range;

use super::object::Object;
use pintrace_kernel::scan_layout::Rmap;

/// Nodes of a tree that are looked at.
const MOST_NODES: usize = 64;
/// Low bits of `page.mapping`.
const FLAGS: u64 = 3;
/// ... of anonymous memory.
const ANON: u64 = 1;
/// A tree node's parent and colour come first, then its children.
const RIGHT: u64 = 8;
const LEFT: u64 = 16;

/// Owners of pages, as found during one look: those of the same memory lie together.
pub struct Owners<'o> {
    object: &'o Object,
    rmap: &'o Rmap,
    /// By `page.mapping`: which indices an address space covers, and whose it is.
    known: HashMap<u64, Vec<(Range<u64>, u32)>>,
}

impl<'o> Owners<'o> {
    /// None known yet.
    pub fn new(object: &'o Object, rmap: &'o Rmap) -> Self {
        Self {
            object,
            rmap,
            known: HashMap::new(),
        }
    }

    /// The process that maps the page whose struct page this is; the first one found, if there are several.
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

/// Looks through the tree of the mappings of an `anon_vma` or a file.
fn search(object: &Object, rmap: &Rmap, mapping: u64, index: u64) -> Option<(Range<u64>, u32)> {
    let anonymous = mapping & FLAGS == ANON;
    let root = if anonymous {
        (mapping & !FLAGS) + u64::from(rmap.anon_root)
    } else if mapping != 0 && mapping & FLAGS == 0 {
        mapping + u64::from(rmap.file_root)
    } else {
        return None;
    };
    let mut nodes = vec![object.read_u64(root)?];
    let mut seen = 0;
    while let Some(node) = nodes.pop() {
        if node == 0 || seen == MOST_NODES {
            continue;
        }
        seen += 1;
        let vma = if anonymous {
            object.read_u64(node - u64::from(rmap.chain_node) + u64::from(rmap.chain_vma))
        } else {
            Some(node - u64::from(rmap.vma_node))
        };
        let covered = vma.and_then(|vma| covered(object, rmap, vma));
        if let Some((indices, pid)) = covered.filter(|(indices, _)| indices.contains(&index)) {
            return Some((indices, pid));
        }
        nodes.extend(
            [LEFT, RIGHT]
                .into_iter()
                .filter_map(|child| object.read_u64(node + child)),
        );
    }
    None
}

/// The indices that a mapping covers, and the owner of its address space.
fn covered(object: &Object, rmap: &Rmap, vma: u64) -> Option<(Range<u64>, u32)> {
    let read = |offset: u32| object.read_u64(vma + u64::from(offset));
    let (start, end) = (read(rmap.vma_start)?, read(rmap.vma_end)?);
    let first = read(rmap.vma_pgoff)?;
    let pages = end.checked_sub(start)? >> 12;
    let mm = read(rmap.vma_mm)?;
    let task = object.read_u64(mm + u64::from(rmap.mm_owner))?;
    let pid = object.read_u64(task + u64::from(rmap.task_tgid))?;
    let pid = u32::try_from(pid & 0xffff_ffff).ok().filter(|pid| *pid != 0)?;
    Some((first..first.checked_add(pages)?, pid))
}
