//! Hooks on the function that drops all pins of a long-term call and migrates pages (`migrate_longterm_unpinnable_folios`,
//! mm/gup.c). The function drops each pin of the call exactly once, by whatever functions the compiler left.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use pintrace_common::pin_calls::phase;

use crate::map_ref::{get, word};
use crate::{
    backup::Role,
    compat::{retries, trampoline},
    facts::FACTS,
    kernel,
    ledger::{longterm_scope, state::gate_is_open},
};

/// Records that the running task's long-term call begins or ends to migrate pages. Returns false if that is recorded
/// already, or if the task is in no such call.
#[inline(always)]
fn set_migrating(migrates: bool) -> bool {
    let Some(call) = longterm_scope::of_task() else {
        return false;
    };
    let (from, to) = if migrates {
        (phase::SLOW, phase::MIGRATES)
    } else {
        (phase::MIGRATES, phase::SLOW)
    };
    let changes = get!(call.phase) == from;
    if changes {
        word!(call.phase).store(to);
    }
    changes
}

/// Handles migrate_longterm_unpinnable_folios(list, pofs). `pofs` begins with the address of the array.
#[inline(always)]
fn entered(role: Role, ctx: *mut c_void) -> i32 {
    if !gate_is_open() || !set_migrating(true) {
        return 0;
    }
    role.recovered();
    let pofs = trampoline::address(ctx, 1);
    let entries = kernel::u64_at(pofs + u64::from(FACTS.pofs_nr_entries()));
    retries::drop_array(kernel::u64_at(pofs), entries);
    0
}

#[inline(always)]
fn left(role: Role) -> i32 {
    if set_migrating(false) {
        role.recovered();
    }
    0
}

/// Runs on entry of migrate_longterm_unpinnable_folios.
#[fentry]
pub fn enter_migration(ctx: FEntryContext) -> i32 {
    entered(Role::Primary, ctx.as_ptr())
}

/// Is the backup of [`enter_migration`].
#[fentry]
pub fn enter_migration_backup(ctx: FEntryContext) -> i32 {
    entered(Role::LastBackup, ctx.as_ptr())
}

/// Runs on return of migrate_longterm_unpinnable_folios.
#[fexit]
pub fn leave_migration(_ctx: FExitContext) -> i32 {
    left(Role::Primary)
}

/// Is the backup of [`leave_migration`].
#[fexit]
pub fn leave_migration_backup(_ctx: FExitContext) -> i32 {
    left(Role::LastBackup)
}
