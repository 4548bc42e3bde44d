//! Hooks on what takes mappings away: of addresses, of files, of the whole address space.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, macros::fentry, programs::FEntryContext};
use pintrace_common::{
    watch::{SpaceEnded, touch, unmap},
    wire,
};

use crate::{accounts, acquire::gate_is_open, kernel, ring, trampoline, turns::Turn};

use super::{
    both_turns,
    call::Call,
    facts, grains,
    touches::{self, Touch},
};

/// Entry of unmap_vmas (mm/memory.c): munmap, a mapping that takes another's place, mremap, brk.
#[inline(always)]
fn unmaps(turn: Turn, raw: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(raw) else {
        return 0;
    };
    if !gate_is_open() || !grains::any() {
        return 0;
    }
    let space = kernel::u64_at(trampoline::argument(raw, 0) + facts::gather_mm());
    // While the address space is taken down nobody unmaps.
    if kernel::u32_at(space + facts::mm_users()) == 0 {
        return 0;
    }
    let (address, end) = match facts::unmap_shape() as u32 {
        unmap::VMA => (trampoline::argument(raw, 2), trampoline::argument(raw, 3)),
        unmap::TREE => (trampoline::argument(raw, 3), trampoline::argument(raw, 4)),
        _ => {
            let description = trampoline::argument(raw, 1);
            (
                kernel::u64_at(description + facts::unmap_start()),
                kernel::u64_at(description + facts::unmap_end()),
            )
        }
    };
    let touch = Touch {
        what: touch::UNMAP,
        space,
        address,
        end,
        pages: 0,
        detail: 0,
        began_ns: 0,
    };
    touches::tell(raw, &touch);
    0
}

/// Entry of move_page_tables (mm/mremap.c): where mremap leaves the mapping behind, nothing is unmapped.
#[inline(always)]
fn moves(turn: Turn, raw: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(raw) else {
        return 0;
    };
    if !gate_is_open() || !grains::any() {
        return 0;
    }
    if let Some((address, end)) = Call::now().emptied() {
        let touch = Touch {
            what: touch::UNMAP,
            space: kernel::current_mm(),
            address,
            end,
            pages: 0,
            detail: 0,
            began_ns: 0,
        };
        touches::tell(raw, &touch);
    }
    0
}

/// Entry of unmap_mapping_range(mapping, holebegin, holelen, even_cows) (mm/memory.c): truncation or a hole.
#[inline(always)]
fn cuts(turn: Turn, raw: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(raw) else {
        return 0;
    };
    if !gate_is_open() || !grains::any() {
        return 0;
    }
    let address = trampoline::argument(raw, 1);
    let bytes = trampoline::argument(raw, 2);
    let to_the_end = bytes == 0 || bytes > END_OF_FILE;
    let touch = Touch {
        what: touch::FILE,
        space: trampoline::argument(raw, 0),
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
    touches::tell(raw, &touch);
    0
}

/// More bytes than files have.
const END_OF_FILE: u64 = 1 << 62;

/// Entry of exit_mmap(mm) (mm/mmap.c): the last user of an address space is gone.
#[inline(always)]
fn exits(turn: Turn, raw: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(raw) else {
        return 0;
    };
    if !grains::any() {
        return 0;
    }
    ended(trampoline::argument(raw, 0), 0);
    0
}

/// Entry of clear_inode(inode) (fs/inode.c): a file is gone, and another may soon have its address.
#[inline(always)]
fn clears_file(turn: Turn, raw: *mut c_void) -> i32 {
    if let Some(_share) = turn.watches(raw)
        && grains::any()
    {
        ended(trampoline::argument(raw, 0) + facts::inode_data(), 1);
    }
    0
}

#[inline(always)]
fn ended(space: u64, id: u32) {
    if grains::forget(space) {
        let header = wire::Header {
            kind: wire::kind::SPACE_ENDED,
            id,
            time_ns: accounts::time(),
        };
        ring::emit(SpaceEnded { header, space });
    }
}

both_turns! {
    fentry FEntryContext enter_unmap_vmas enter_unmap_vmas_again => unmaps;
    fentry FEntryContext enter_move_page_tables enter_move_page_tables_again => moves;
    fentry FEntryContext enter_unmap_mapping_range enter_unmap_mapping_range_again => cuts;
    fentry FEntryContext enter_clear_inode enter_clear_inode_again => clears_file;
    fentry FEntryContext enter_exit_mmap enter_exit_mmap_again => exits;
}
