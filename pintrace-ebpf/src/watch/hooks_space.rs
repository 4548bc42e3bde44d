//! Hooks on what takes mappings away: of addresses, of files, of the whole address space.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use pintrace_common::{
    watch::{SpaceEnded, touch, unmap},
    wire,
};

use crate::{accounts, acquire::gate_is_open, kernel, ring, trampoline};

use super::{
    facts, grains,
    slots::{self, Slot, kind},
    touches::{self, Touch},
    windows,
};

/// Entry of unmap_vmas (mm/memory.c): munmap, a mapping that takes another's place, mremap, brk.
#[fentry]
pub fn enter_unmap_vmas(ctx: FEntryContext) -> i32 {
    if !gate_is_open() || !grains::any() {
        return 0;
    }
    let raw = ctx.as_ptr();
    let space = kernel::read_u64(trampoline::argument(raw, 0) + facts::gather_mm()).unwrap_or(0);
    // While the address space is taken down nobody unmaps.
    if kernel::read_u32(space + facts::mm_users()).unwrap_or(0) == 0 {
        return 0;
    }
    let (address, end) = match facts::unmap_shape() as u32 {
        unmap::VMA => (trampoline::argument(raw, 2), trampoline::argument(raw, 3)),
        unmap::TREE => (trampoline::argument(raw, 3), trampoline::argument(raw, 4)),
        _ => {
            let description = trampoline::argument(raw, 1);
            (
                kernel::read_u64(description + facts::unmap_start()).unwrap_or(0),
                kernel::read_u64(description + facts::unmap_end()).unwrap_or(0),
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
    };
    touches::tell(raw, &touch);
    0
}

/// `ENOMEM` of madvise: parts of the range are not mapped, the others have been advised.
const PARTLY: i32 = -12;

/// Return of do_madvise(mm, start, len, advice) (mm/madvise.c).
#[fexit]
pub fn leave_do_madvise(ctx: FExitContext) -> i32 {
    if !gate_is_open() || !grains::any() {
        return 0;
    }
    let raw = ctx.as_ptr();
    let result = trampoline::result(raw, 4).unwrap_or(0) as i32;
    if result != 0 && result != PARTLY {
        return 0;
    }
    let address = trampoline::argument(raw, 1);
    let touch = Touch {
        what: touch::ADVICE,
        space: trampoline::argument(raw, 0),
        address,
        end: (address + trampoline::argument(raw, 2) + 4095) & !4095,
        pages: 0,
        detail: trampoline::argument(raw, 3) & 0xffff_ffff,
    };
    touches::tell(raw, &touch);
    0
}

/// Entry of zap_page_range(vma, start, bytes) (mm/memory.c, up to 6.2 or so): MADV_DONTNEED for one area, if madvise is
/// what calls it.
#[fentry]
pub fn enter_zap_page_range(ctx: FEntryContext) -> i32 {
    let raw = ctx.as_ptr();
    let address = trampoline::argument(raw, 1);
    advised(raw, address + trampoline::argument(raw, 2), DONTNEED)
}

/// Entry of madvise_free_single_vma(vma, start, end) (mm/madvise.c).
#[fentry]
pub fn enter_madvise_free(ctx: FEntryContext) -> i32 {
    let raw = ctx.as_ptr();
    advised(raw, trampoline::argument(raw, 2), FREE)
}

/// `MADV_DONTNEED` (include/uapi/asm-generic/mman-common.h).
const DONTNEED: u64 = 4;
/// `MADV_FREE`.
const FREE: u64 = 8;

#[inline(always)]
fn advised(raw: *mut c_void, end: u64, advice: u64) -> i32 {
    if !gate_is_open() || !grains::any() {
        return 0;
    }
    let touch = Touch {
        what: touch::ADVICE_FOR_AREA,
        space: super::hooks_fault::space_of(trampoline::argument(raw, 0)),
        address: trampoline::argument(raw, 1),
        end,
        pages: 0,
        detail: advice,
    };
    touches::tell(raw, &touch);
    0
}

/// Entry of unmap_mapping_range(mapping, holebegin, holelen, even_cows) (mm/memory.c): truncation or a hole.
#[fentry]
pub fn enter_unmap_mapping_range(ctx: FEntryContext) -> i32 {
    if !gate_is_open() || !grains::any() {
        return 0;
    }
    let raw = ctx.as_ptr();
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
    };
    touches::tell(raw, &touch);
    0
}

/// More bytes than files have.
const END_OF_FILE: u64 = 1 << 62;

/// Entry of exit_mmap(mm) (mm/mmap.c): the last user of an address space is gone.
#[fentry]
pub fn enter_exit_mmap(ctx: FEntryContext) -> i32 {
    if !grains::any() {
        return 0;
    }
    let space = trampoline::argument(ctx.as_ptr(), 0);
    if grains::forget(space) {
        let header = wire::Header {
            kind: wire::kind::SPACE_ENDED,
            id: 0,
            time_ns: accounts::time(),
        };
        ring::emit(SpaceEnded { header, space });
    }
    0
}

/// Entry of clear_refs_write(file, buffer, count, position) (fs/proc/task_mmu.c): what is cleared, only the flush at
/// its end tells, which there is for soft-dirty alone.
#[fentry]
pub fn enter_clear_refs_write(_ctx: FEntryContext) -> i32 {
    if gate_is_open() {
        slots::open(&Slot {
            kind: kind::CLEAR,
            space: 0,
            address: 0,
            end: 0,
            fault: 0,
            pages: 0,
            unshare: 0,
            window: 0,
            began_ns: accounts::time(),
        });
    }
    0
}

/// Entry of flush_tlb_mm_range(mm, ...) (arch/x86/mm/tlb.c).
#[fentry]
pub fn enter_flush_tlb_mm_range(ctx: FEntryContext) -> i32 {
    if let Some(slot) = slots::mine_of(kind::CLEAR) {
        // SAFETY: a live map value that only this task uses.
        unsafe { (*slot).space = trampoline::argument(ctx.as_ptr(), 0) };
    }
    0
}

/// Return of clear_refs_write.
#[fexit]
pub fn leave_clear_refs_write(ctx: FExitContext) -> i32 {
    let Some(slot) = slots::mine_of(kind::CLEAR) else {
        return 0;
    };
    // SAFETY: a live map value that only this task uses.
    let slot = unsafe { *slot };
    slots::close();
    if slot.space != 0 {
        windows::soft_dirty(slot.space, slot.began_ns);
        let touch = Touch {
            what: touch::SOFT_DIRTY,
            space: slot.space,
            address: 0,
            end: 1 << 56,
            pages: 0,
            detail: 0,
        };
        touches::tell(ctx.as_ptr(), &touch);
    }
    0
}
