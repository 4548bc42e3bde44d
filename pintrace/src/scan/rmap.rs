//! Whose a page is, from the kernel's own reverse map: for one page that turns up without a holder, when page tables
//! of others may no longer be read. The structures may change while they are followed; what comes out is believed only if it
//! leads to an address space that covers the page.

use super::layout::Rmap;
use super::object::Object;

/// Nodes of a tree that are looked at.
const MOST_NODES: usize = 64;
/// Low bits of `page.mapping`.
const FLAGS: u64 = 3;
/// ... of anonymous memory.
const ANON: u64 = 1;
/// A tree node's parent and colour come first, then its children.
const RIGHT: u64 = 8;
const LEFT: u64 = 16;

/// The process that maps the page whose struct page this is; the first one found, if there are several.
pub fn owner(object: &Object, rmap: &Rmap, page: u64) -> Option<u32> {
    let mapping = object.read_u64(page + u64::from(rmap.page_mapping))?;
    let index = object.read_u64(page + u64::from(rmap.page_index))?;
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
        if let Some(pid) = vma.and_then(|vma| covering(object, rmap, vma, index)) {
            return Some(pid);
        }
        nodes.extend(
            [LEFT, RIGHT]
                .into_iter()
                .filter_map(|child| object.read_u64(node + child)),
        );
    }
    None
}

/// The owner of a mapping, if it covers the page of that index.
fn covering(object: &Object, rmap: &Rmap, vma: u64, index: u64) -> Option<u32> {
    let read = |offset: u32| object.read_u64(vma + u64::from(offset));
    let (start, end) = (read(rmap.vma_start)?, read(rmap.vma_end)?);
    let first = read(rmap.vma_pgoff)?;
    let pages = end.checked_sub(start)? >> 12;
    (first..first.checked_add(pages)?)
        .contains(&index)
        .then_some(())?;
    let mm = read(rmap.vma_mm)?;
    let task = object.read_u64(mm + u64::from(rmap.mm_owner))?;
    let pid = object.read_u64(task + u64::from(rmap.task_tgid))?;
    u32::try_from(pid & 0xffff_ffff).ok().filter(|pid| *pid != 0)
}
