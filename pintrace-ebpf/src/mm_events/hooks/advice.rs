//! Hooks on madvise calls that remove pages.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use pintrace_common::mm_events::{advice, mapping_change};

use crate::map_ref::get;
use crate::{
    backup::Role,
    clock,
    compat::trampoline,
    facts::MM_EVENT_FACTS,
    kernel,
    ledger::state::gate_is_open,
    mm_events::{
        mapping_changes::{self, MappingChange},
        range_filter,
        task_context::{self, TaskContext, kind},
        with_backup,
    },
};

/// `ENOMEM` of madvise: parts of the range are not mapped, and the advice was applied to the other parts.
const PARTLY: i32 = -12;

/// Arguments of a madvise call.
#[derive(Clone, Copy)]
struct Advice {
    mm: u64,
    start: u64,
    bytes: u64,
    kind: u64,
}

impl Advice {
    /// Reads the arguments of do_madvise(mm, start, len, advice) (mm/madvise.c).
    #[inline(always)]
    fn plain(raw: *mut c_void) -> Self {
        Self {
            mm: trampoline::argument(raw, 0),
            start: trampoline::argument(raw, 1),
            bytes: trampoline::argument(raw, 2),
            kind: trampoline::argument(raw, 3) & 0xffff_ffff,
        }
    }

    /// Reads the arguments of madvise_do_behavior, which madvise and process_madvise call (mm/madvise.c, 6.15).
    #[inline(always)]
    fn described(raw: *mut c_void) -> Self {
        let described = MM_EVENT_FACTS.advice_prototype() as u32 == advice::WITHOUT_MM;
        let (first, description) = if described {
            (0, trampoline::argument(raw, 2))
        } else {
            (1, trampoline::argument(raw, 3))
        };
        let mm = if described {
            kernel::u64_at(description + MM_EVENT_FACTS.advice_mm())
        } else {
            trampoline::argument(raw, 0)
        };
        Self {
            mm,
            start: trampoline::argument(raw, first),
            bytes: trampoline::argument(raw, first + 1),
            kind: u64::from(kernel::u32_at(description + MM_EVENT_FACTS.advice_behavior())),
        }
    }
}

/// Runs on entry of do_madvise or madvise_do_behavior.
#[inline(always)]
fn advises(role: Role, raw: *mut c_void, read: impl Fn(*mut c_void) -> Advice) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    if !gate_is_open() || !range_filter::any() {
        return 0;
    }
    // Other advice removes no page, and some advice causes faults, which need the task's context.
    let advice = read(raw).kind;
    if advice != DONTNEED && advice != FREE && advice != DONTNEED_LOCKED && advice != GUARD_INSTALL {
        return 0;
    }
    task_context::enter(&TaskContext {
        kind: kind::ADVICE,
        began_ns: clock::time(),
        advice,
        ..TaskContext::default()
    });
    0
}

#[inline(always)]
fn advises_plainly(role: Role, raw: *mut c_void) -> i32 {
    advises(role, raw, Advice::plain)
}

#[inline(always)]
fn advises_by_description(role: Role, raw: *mut c_void) -> i32 {
    advises(role, raw, Advice::described)
}

/// Runs on return of do_madvise or madvise_do_behavior, whose result shows whether the advice was applied. Where hooks
/// see the vmas of MADV_DONTNEED, the hooks have sent the records: the call may drop one vma and then fail at the next,
/// or succeed without a drop, because a hugetlb page is larger than the range.
#[inline(always)]
fn advised_all(role: Role, raw: *mut c_void, read: impl Fn(*mut c_void) -> Advice) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    let Some(context) = task_context::current_of(kind::ADVICE) else {
        return 0;
    };
    // Only this task uses the context.
    let (began_ns, kind) = (get!(context.began_ns), get!(context.advice));
    task_context::leave();
    if kind != FREE && MM_EVENT_FACTS.advice_per_vma() != 0 {
        return 0;
    }
    let result = trampoline::result(raw, 4).unwrap_or(0) as i32;
    if result != 0 && result != PARTLY {
        return 0;
    }
    let advice = read(raw);
    let change = MappingChange {
        what: mapping_change::ADVICE,
        within: advice.mm,
        address: advice.start,
        end: (advice.start + advice.bytes + 4095) & !4095,
        pages: 0,
        detail: advice.kind,
        began_ns,
    };
    mapping_changes::emit(raw, &change);
    0
}

#[inline(always)]
fn advised_plainly(role: Role, raw: *mut c_void) -> i32 {
    advised_all(role, raw, Advice::plain)
}

#[inline(always)]
fn advised_by_description(role: Role, raw: *mut c_void) -> i32 {
    advised_all(role, raw, Advice::described)
}

/// Runs on entry of zap_page_range(vma, start, bytes) (mm/memory.c, up to about 6.2): MADV_DONTNEED for one vma, if
/// madvise is the caller.
#[inline(always)]
fn zaps(role: Role, raw: *mut c_void) -> i32 {
    let address = trampoline::argument(raw, 1);
    advised(role, raw, address + trampoline::argument(raw, 2), DONTNEED)
}

/// Runs on entry of zap_page_range_single(vma, address, size, details) (mm/memory.c, about 6.2 to 6.15): MADV_DONTNEED
/// for one vma, if the task is in madvise.
#[inline(always)]
fn zaps_one(role: Role, raw: *mut c_void) -> i32 {
    zaps_in_madvise(role, raw, 0)
}

/// Runs on entry of zap_page_range_single_batched(tlb, vma, address, size, details) (6.16) or zap_vma_range_batched, the
/// later name.
#[inline(always)]
fn zaps_batched(role: Role, raw: *mut c_void) -> i32 {
    zaps_in_madvise(role, raw, 1)
}

/// `vma` is the index of the parameter with the vma. Address and size follow.
#[inline(always)]
fn zaps_in_madvise(role: Role, raw: *mut c_void, vma: u32) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    if !gate_is_open() || !range_filter::any() {
        return 0;
    }
    let Some(context) = task_context::current_of(kind::ADVICE) else {
        return 0;
    };
    let address = trampoline::argument(raw, vma + 1);
    let change = MappingChange {
        what: mapping_change::ADVICE_FOR_VMA,
        within: kernel::mm_of(trampoline::argument(raw, vma)),
        address,
        end: address + trampoline::argument(raw, vma + 2),
        pages: 0,
        detail: get!(context.advice),
        began_ns: 0,
    };
    mapping_changes::emit(raw, &change);
    0
}

/// Runs on entry of madvise_free_single_vma(vma, start, end) (mm/madvise.c).
#[inline(always)]
fn frees(role: Role, raw: *mut c_void) -> i32 {
    advised(role, raw, trampoline::argument(raw, 2), FREE)
}

/// `MADV_DONTNEED` (include/uapi/asm-generic/mman-common.h).
const DONTNEED: u64 = 4;
/// `MADV_FREE`.
const FREE: u64 = 8;
/// `MADV_DONTNEED_LOCKED`.
const DONTNEED_LOCKED: u64 = 24;
/// `MADV_GUARD_INSTALL` (6.13), which drops the pages of the range.
const GUARD_INSTALL: u64 = 102;

#[inline(always)]
fn advised(role: Role, raw: *mut c_void, end: u64, advice: u64) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    if !gate_is_open() || !range_filter::any() {
        return 0;
    }
    let change = MappingChange {
        what: mapping_change::ADVICE_FOR_VMA,
        within: kernel::mm_of(trampoline::argument(raw, 0)),
        address: trampoline::argument(raw, 1),
        end,
        pages: 0,
        detail: advice,
        began_ns: 0,
    };
    mapping_changes::emit(raw, &change);
    0
}

with_backup! {
    fentry FEntryContext enter_do_madvise enter_do_madvise_backup => advises_plainly;
    fentry FEntryContext enter_madvise_do_behavior enter_madvise_do_behavior_backup => advises_by_description;
    fexit FExitContext leave_do_madvise leave_do_madvise_backup => advised_plainly;
    fexit FExitContext leave_madvise_do_behavior leave_madvise_do_behavior_backup => advised_by_description;
    fentry FEntryContext enter_zap_page_range enter_zap_page_range_backup => zaps;
    fentry FEntryContext enter_zap_single enter_zap_single_backup => zaps_one;
    fentry FEntryContext enter_zap_single_batched enter_zap_single_batched_backup => zaps_batched;
    fentry FEntryContext enter_zap_vma_batched enter_zap_vma_batched_backup => zaps_batched;
    fentry FEntryContext enter_madvise_free enter_madvise_free_backup => frees;
}
