//! Counts the pages that the kernel migrates before it pins them long-term.

use core::arch::asm;

use aya_ebpf::{EbpfContext, macros::raw_tracepoint, programs::RawTracePointContext};

use crate::{
    facts::FACTS,
    ledger::{longterm_scope, state::gate_is_open},
};

/// Runs on migrate:mm_migrate_pages(succeeded, failed, ..., mode, reason), once for each call of `migrate_pages`
/// (mm/migrate.c). The kernel counts small pages.
#[raw_tracepoint(tracepoint = "mm_migrate_pages")]
pub fn migrated_pages(ctx: RawTracePointContext) -> i32 {
    if gate_is_open() && reason(&ctx) == u64::from(FACTS.longterm_migration()) {
        longterm_scope::count_moved(ctx.arg::<u64>(0));
    }
    0
}

/// Returns the reason of the migration. Since 6.3, the splits of large folios stand before the mode and the reason.
#[inline(always)]
fn reason(ctx: &RawTracePointContext) -> u64 {
    let reason: u64;
    // The compiler would make one load of an address that it computes, which old verifiers refuse.
    match FACTS.migrate_reason() {
        // SAFETY: the tracepoint has seven arguments of 8 bytes.
        6 => unsafe { asm!("{} = *(u64 *)({} + 48)", out(reg) reason, in(reg) ctx.as_ptr()) },
        // SAFETY: the tracepoint has eight arguments of 8 bytes.
        7 => unsafe { asm!("{} = *(u64 *)({} + 56)", out(reg) reason, in(reg) ctx.as_ptr()) },
        _ => return u64::MAX,
    }
    reason & 0xffff_ffff
}
