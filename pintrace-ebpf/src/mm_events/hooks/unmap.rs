//! Hooks on functions that remove mappings: of addresses, of files, of a whole mm.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, macros::fentry, programs::FEntryContext};
use pintrace_common::{
    mm_events::{MmOrAddressSpaceGone, mapping_change, unmap},
    wire,
};

use crate::{
    backup::Role,
    clock,
    compat::trampoline,
    facts::MM_EVENT_FACTS,
    kernel,
    ledger::state::gate_is_open,
    mm_events::{
        mapping_changes::{self, MappingChange},
        pinned_mms, range_filter, with_backup,
    },
    ring,
    syscall_args::SyscallArgs,
};

/// Runs on entry of unmap_vmas (mm/memory.c): munmap, a mapping that replaces another, mremap, brk.
#[inline(always)]
fn unmaps(role: Role, raw: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    if !gate_is_open() || !range_filter::any() {
        return 0;
    }
    let mm = kernel::u64_at(trampoline::argument(raw, 0) + MM_EVENT_FACTS.gather_mm());
    // At 0 users the kernel itself tears the mm down, which is no mapping change.
    if kernel::u32_at(mm + MM_EVENT_FACTS.mm_users()) == 0 {
        return 0;
    }
    let (address, end) = match MM_EVENT_FACTS.unmap_prototype() as u32 {
        unmap::VMA => (trampoline::argument(raw, 2), trampoline::argument(raw, 3)),
        unmap::TREE => (trampoline::argument(raw, 3), trampoline::argument(raw, 4)),
        _ => {
            let description = trampoline::argument(raw, 1);
            (
                kernel::u64_at(description + MM_EVENT_FACTS.unmap_start()),
                kernel::u64_at(description + MM_EVENT_FACTS.unmap_end()),
            )
        }
    };
    let change = MappingChange {
        what: mapping_change::UNMAP,
        within: mm,
        address,
        end,
        pages: 0,
        detail: 0,
        began_ns: 0,
    };
    mapping_changes::emit(raw, &change);
    0
}

/// Runs on entry of move_page_tables (mm/mremap.c). If mremap keeps the old mapping, the kernel does not call
/// unmap_vmas.
#[inline(always)]
fn moves(role: Role, raw: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    if !gate_is_open() || !range_filter::any() {
        return 0;
    }
    if let Some((address, end)) = SyscallArgs::current().emptied() {
        let change = MappingChange {
            what: mapping_change::UNMAP,
            within: kernel::current_mm(),
            address,
            end,
            pages: 0,
            detail: 0,
            began_ns: 0,
        };
        mapping_changes::emit(raw, &change);
    }
    0
}

/// Runs on entry of unmap_mapping_range(mapping, holebegin, holelen, even_cows) (mm/memory.c): truncation or a hole.
#[inline(always)]
fn cuts(role: Role, raw: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    if !gate_is_open() || !range_filter::any() {
        return 0;
    }
    let address = trampoline::argument(raw, 1);
    let bytes = trampoline::argument(raw, 2);
    let to_the_end = bytes == 0 || bytes > END_OF_FILE;
    let change = MappingChange {
        what: mapping_change::FILE,
        within: trampoline::argument(raw, 0),
        address,
        end: if to_the_end {
            END_OF_FILE
        } else {
            (address + bytes + 4095) & !4095
        },
        pages: 0,
        detail: u64::from(to_the_end),
        began_ns: 0,
    };
    mapping_changes::emit(raw, &change);
    0
}

/// Runs on entry of remove_inode_hugepages(inode, lstart, lend) (fs/hugetlbfs/inode.c): truncation of a hugetlbfs file, or
/// a hole. hugetlbfs does not call unmap_mapping_range.
#[inline(always)]
fn cuts_huge(role: Role, raw: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    if !gate_is_open() || !range_filter::any() {
        return 0;
    }
    let inode = trampoline::argument(raw, 0);
    // At 0 references the kernel frees the inode (`hugetlbfs_evict_inode`), and no process has the file any more.
    if kernel::u32_at(inode + MM_EVENT_FACTS.inode_count()) == 0 {
        return 0;
    }
    let end = trampoline::argument(raw, 2);
    let change = MappingChange {
        what: mapping_change::FILE,
        within: inode + MM_EVENT_FACTS.inode_data(),
        address: trampoline::argument(raw, 1),
        end: if end > END_OF_FILE { END_OF_FILE } else { end },
        pages: 0,
        // Only `unmap_mapping_range` runs twice for one truncation.
        detail: 0,
        began_ns: 0,
    };
    mapping_changes::emit(raw, &change);
    0
}

/// An offset beyond the end of any file.
const END_OF_FILE: u64 = 1 << 62;

/// Runs on entry of exit_mmap(mm) (mm/mmap.c): the mm has no user left.
#[inline(always)]
fn exits(role: Role, raw: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    let mm = trampoline::argument(raw, 0);
    pinned_mms::forget(mm);
    if range_filter::any() {
        ended(mm, 0);
    }
    0
}

/// Runs on entry of clear_inode(inode) (fs/inode.c): the kernel frees the inode, and may soon use its address again.
#[inline(always)]
fn clears_file(role: Role, raw: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_mm_event(raw)
        && range_filter::any()
    {
        ended(trampoline::argument(raw, 0) + MM_EVENT_FACTS.inode_data(), 1);
    }
    0
}

#[inline(always)]
fn ended(within: u64, id: u32) {
    if range_filter::forget(within) {
        let header = wire::Header {
            kind: wire::kind::MM_OR_ADDRESS_SPACE_GONE,
            id,
            time_ns: clock::time(),
        };
        ring::emit(MmOrAddressSpaceGone { header, within });
    }
}

with_backup! {
    fentry FEntryContext enter_unmap_vmas enter_unmap_vmas_backup => unmaps;
    fentry FEntryContext enter_move_page_tables enter_move_page_tables_backup => moves;
    fentry FEntryContext enter_unmap_mapping_range enter_unmap_mapping_range_backup => cuts;
    fentry FEntryContext enter_remove_inode_hugepages enter_remove_inode_hugepages_backup => cuts_huge;
    fentry FEntryContext enter_clear_inode enter_clear_inode_backup => clears_file;
    fentry FEntryContext enter_exit_mmap enter_exit_mmap_backup => exits;
}
