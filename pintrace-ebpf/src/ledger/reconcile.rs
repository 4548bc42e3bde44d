//! Corrects the ledger by the pin counts of the struct pages. User space runs these programs; no hook calls them.
//!
//! The count of a folio and the ledger differ for a moment whenever a pin or a release is in flight, so a correction may be
//! wrong by that much. User space repeats the comparison, and the programs undo the error, until both agree.

use aya_ebpf::{
    macros::{map, raw_tracepoint},
    maps::Array,
    programs::RawTracePointContext,
};
use pintrace_common::reconcile::{FOLIOS, ReconcileRun};

use crate::map_ref::{Lookup, get, set};
use crate::{
    compat::loops,
    folio::Folio,
    ledger::{
        accounts,
        folio_table::{self, CellTable, Chunks},
        multi_owner, owners,
    },
    maps,
};

/// The one run's wish and result.
#[map]
static RECONCILE: Array<ReconcileRun> = Array::with_max_entries(1, 0);

/// Opens an account for pins that no hook has seen: its process as the first argument, what it stands for
/// (`pintrace_common::reconcile::caller`) as the second. Its command name waits in the map.
#[raw_tracepoint]
pub fn open_account(ctx: RawTracePointContext) -> i32 {
    let Some(reconcile) = RECONCILE.at(0) else {
        return 0;
    };
    let tgid: u64 = ctx.arg(0);
    let caller: u64 = ctx.arg(1);
    // Without room for it, user space tells these pins beside the ledger: no loss, and none of a hook's.
    let id = accounts::pintrace_account_open(0, caller, tgid << 32 | tgid, 0, -1);
    // Live map values; user space makes one run at a time, and nobody else knows the account yet.
    set!(reconcile.account = u64::from(id));
    if id != accounts::UNATTRIBUTED
        && let Some(account) = maps::ACCOUNTS.at(id)
    {
        set!(account.comm = get!(reconcile.comm));
    }
    0
}

/// Looks at folios: the first argument is a head page, the second how many bytes lie between two, the third how many
/// there are, the fourth who gets what the ledger lacks (0 for nobody).
#[raw_tracepoint]
pub fn reconcile(ctx: RawTracePointContext) -> i32 {
    let Some(zeros) = maps::Zeros::find() else {
        return 0;
    };
    let mut run = Run {
        page: ctx.arg(0),
        stride: ctx.arg(1),
        folios: ctx.arg(2),
        account: ctx.arg(3),
        added: zeros.next(),
        missing: zeros.next(),
        dropped: zeros.next(),
    };
    loops::repeat::<FOLIOS, _>(step, &mut run);
    if let Some(reconcile) = RECONCILE.at(0) {
        set!(reconcile.added = run.added);
        set!(reconcile.missing = run.missing);
        set!(reconcile.dropped = run.dropped);
    }
    0
}

struct Run {
    page: u64,
    stride: u64,
    folios: u64,
    account: u64,
    added: u64,
    missing: u64,
    dropped: u64,
}

extern "C" fn step(index: u32, run: *mut Run) -> i64 {
    // SAFETY: the loop hands back the state.
    let run = unsafe { &mut *run };
    if u64::from(index) >= run.folios {
        return 1;
    }
    let page = run.page + u64::from(index) * run.stride;
    let done = pintrace_reconcile_folio(page, run.account as u32);
    let pins = loops::opaque(done >> 2);
    match done & KIND {
        ADDED => run.added += pins,
        MISSING => run.missing += pins,
        DROPPED => run.dropped += pins,
        _ => {}
    }
    0
}

/// What was done with a folio, below the pins.
const KIND: u64 = 3;
const ADDED: u64 = 1;
const MISSING: u64 = 2;
const DROPPED: u64 = 3;

/// Looks at one folio. A global function: the verifier follows it once. Gives pins << 2 and what was done with them.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_reconcile_folio(page: u64, account: u32) -> u64 {
    let known = pins_known(page);
    let folio = Folio::of(page);
    // A page that is a tail now has no cell of its own any more, and no pins.
    let real = if folio.is_none() || folio.head() != page {
        0
    } else {
        folio.pins()
    };
    if known > real {
        let surplus = known - real;
        let taken = Chunks::take(page, surplus as u32, 0, folio.bytes());
        if let Some(owner) = taken.debtor() {
            let bytes = if taken.emptied() { folio.bytes() } else { 0 };
            owners::pintrace_debit(owner, surplus, bytes);
        }
        return (surplus - taken.left()) << 2 | DROPPED;
    }
    let lacking = real - known;
    if lacking == 0 {
        return 0;
    }
    // Looked for first: a table without room is told to user space here, and is no loss of a hook's.
    if account == 0 || Chunks::find_or_make(page).is_none() {
        return lacking << 2 | MISSING;
    }
    let held = folio_table::pintrace_hold(page, account, lacking as u32);
    let owner = (held >> 32) as u32;
    if owner == 0 {
        return lacking << 2 | MISSING;
    }
    owners::lend(owner, lacking);
    if owner == account && held & multi_owner::FIRST != 0 {
        owners::keep_bytes(owner, folio.bytes());
    }
    lacking << 2 | ADDED
}

/// Pins that the ledger has on a folio.
#[inline(always)]
fn pins_known(head: u64) -> u64 {
    match Chunks::find(head) {
        None => 0,
        Some(cell) => {
            let now = cell.load();
            if now == pintrace_common::ledger::MULTI_OWNER_MARK {
                multi_owner::pins(head)
            } else {
                now & u64::from(u32::MAX)
            }
        }
    }
}
