//! Hooks on the ioctl PAGEMAP_SCAN (6.7), which write-protects pages through userfaultfd (`PM_SCAN_WP_MATCHING`).

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use pintrace_common::mm_events::mapping_change;

use crate::{
    backup::Role,
    clock,
    ledger::state::gate_is_open,
    mm_events::{
        mapping_changes::{self, MappingChange},
        range_filter,
        task_context::{self, TaskContext, kind},
        with_backup,
    },
};

/// Runs on entry of do_pagemap_cmd(file, cmd, arg) (fs/proc/task_mmu.c). The scan itself shows no changed page. Only the
/// flush does: the kernel flushes each piece of the range in which it protected a page, from the first such page on
/// (`pagemap_scan_pmd_entry`).
#[inline(always)]
fn scans(role: Role, raw: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_mm_event(raw)
        && gate_is_open()
        && range_filter::any()
    {
        task_context::enter(&TaskContext {
            kind: kind::SCAN,
            began_ns: clock::time(),
            ..TaskContext::default()
        });
    }
    0
}

/// Runs on return of do_pagemap_cmd.
#[inline(always)]
fn scanned(role: Role, raw: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_mm_event(raw)
        && task_context::current_of(kind::SCAN).is_some()
    {
        task_context::leave();
    }
    0
}

/// Reports that a scan has protected pages of a range.
#[inline(always)]
pub fn protected(raw: *mut c_void, mm: u64, (address, end): (u64, u64)) {
    let change = MappingChange {
        what: mapping_change::UFFD_WP,
        within: mm,
        address,
        end,
        pages: 0,
        detail: 0,
        began_ns: 0,
    };
    mapping_changes::emit(raw, &change);
}

with_backup! {
    fexit FExitContext leave_do_pagemap_cmd leave_do_pagemap_cmd_backup => scanned;
    fentry FEntryContext enter_do_pagemap_cmd enter_do_pagemap_cmd_backup => scans;
}
