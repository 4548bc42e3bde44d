//! Hooks on the functions that pin an already pinned folio once more (mm/gup.c). These functions never call a pin
//! function, and no pin function calls them.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, macros::fexit, programs::FExitContext};
use pintrace_common::{
    counters::{Loss, Total},
    ledger::{AccountKey, MULTI_OWNER_MARK},
};

use crate::{
    atomic::Word,
    backup::Role,
    compat::trampoline::{argument, caller},
    count,
    folio::Folio,
    ledger::{
        accounts,
        acquire::pinner,
        folio_table::{CellTable, Chunks},
        multi_owner, owners,
        state::gate_is_open,
    },
    stacks::{Opened, When},
};

/// Adds `pins` pins of a folio to the ledger, and returns true if the folio carries a pin. The pins go to the folio's
/// only owner, or else to the account of the running task.
#[inline(always)]
fn more(ctx: *mut c_void, parameters: u32, pins: u64) -> bool {
    let folio = Folio::of(argument(ctx, 0));
    if folio.is_none() {
        count::loss(Loss::StructPageUnreadable, pins);
        return false;
    }
    // folio_add_pin does not pin the zero page.
    if !folio.is_pinned() {
        count::total(Total::Unpinned, pins);
        return false;
    }
    let now = Chunks::find(folio.head()).map_or(0, Word::load);
    let mut opened = Opened::new(When::in_trampoline());
    let owner = if now == 0 || now == MULTI_OWNER_MARK {
        let (pid_tgid, started) = pinner(0);
        let key = AccountKey {
            mm: 0,
            caller: caller(ctx, parameters),
            pid_tgid,
            longterm: 0,
            started,
        };
        accounts::find_or_open(ctx, &key, &mut opened)
    } else {
        (now >> 32) as u32
    };
    let held = Chunks::hold(folio.head(), owner, pins as u32);
    count::total(Total::Acquired, pins);
    let who = (held >> 32) as u32;
    if who != 0 {
        owners::lend(who, pins);
        if held & multi_owner::FIRST != 0 {
            owners::keep_bytes(who, folio.kept());
        }
    }
    opened.announce(ctx);
    true
}

/// Handles folio_add_pin(folio), for legacy direct I/O (`dio_pin_page`, fs/direct-io.c): one more pin, which vmstat
/// counts only when the pin is released.
#[inline(always)]
fn one_more(role: Role, ctx: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_on_cpu(ctx)
        && gate_is_open()
        && more(ctx, 1, 1)
    {
        count::total(Total::NotInVmstat, 1);
    }
    0
}

/// Handles folio_add_pins(folio, pins), for iommufd (`batch_from_folios`, drivers/iommu/iommufd/pages.c). vmstat counts
/// these pins.
#[inline(always)]
fn several_more(role: Role, ctx: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_on_cpu(ctx)
        && gate_is_open()
    {
        more(ctx, 2, argument(ctx, 1) & 0xffff_ffff);
    }
    0
}

/// Runs on return of folio_add_pin.
#[fexit]
pub fn return_folio_add_pin(ctx: FExitContext) -> i32 {
    one_more(Role::Primary, ctx.as_ptr())
}

/// Is the backup of [`return_folio_add_pin`].
#[fexit]
pub fn return_folio_add_pin_backup(ctx: FExitContext) -> i32 {
    one_more(Role::LastBackup, ctx.as_ptr())
}

/// Runs on return of folio_add_pins.
#[fexit]
pub fn return_folio_add_pins(ctx: FExitContext) -> i32 {
    several_more(Role::Primary, ctx.as_ptr())
}

/// Is the backup of [`return_folio_add_pins`].
#[fexit]
pub fn return_folio_add_pins_backup(ctx: FExitContext) -> i32 {
    several_more(Role::LastBackup, ctx.as_ptr())
}
