//! Reconciles the ledger with the pin counts of the struct pages. User space runs these programs; no hook calls the
//! programs.
//!
//! The count of a folio and the ledger differ for a moment whenever a pin or a release is in flight, so an adjustment
//! may be wrong by that difference. User space repeats the comparison, and the programs undo the error, until both
//! counts agree.

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
        releaser::ReleaseCode,
    },
    maps,
    unknown_zero::unknown_zero,
};

/// Request and result of the run. User space makes one run at a time.
#[map]
static RECONCILE: Array<ReconcileRun> = Array::with_max_entries(1, 0);

/// Opens an account for pins that no hook has seen. The first argument is the process, the second a value of
/// `pintrace_common::reconcile::caller`, the third a number that tells the open files of the process apart. The map holds
/// the command name.
#[raw_tracepoint]
pub fn open_account(ctx: RawTracePointContext) -> i32 {
    let Some(reconcile) = RECONCILE.at(0) else {
        return 0;
    };
    let tgid: u64 = ctx.arg(0);
    let caller: u64 = ctx.arg(1);
    let file: u64 = ctx.arg(2);
    // If the table is full, user space reports the pins outside the ledger. No loss is counted, because no hook lost a
    // pin.
    let id = accounts::pintrace_account_open(0, caller, tgid << 32 | tgid, file << 32, -1);
    // Live map values. User space makes one run at a time, and no other task knows the account yet.
    set!(reconcile.account = u64::from(id));
    if id != accounts::UNATTRIBUTED
        && let Some(account) = maps::ACCOUNTS.at(id)
    {
        set!(account.comm = get!(reconcile.comm));
    }
    0
}

/// Reconciles a series of folios. Arguments: address of the first head page, bytes from one head page to the next,
/// number of folios, account for the pins that the ledger lacks (0 for none), most pins of a folio that the account gets.
#[raw_tracepoint]
pub fn reconcile(ctx: RawTracePointContext) -> i32 {
    let mut run = Run {
        page: ctx.arg(0),
        stride: ctx.arg(1),
        folios: ctx.arg(2),
        account: ctx.arg(3),
        most: ctx.arg(4),
        added: unknown_zero(),
        missing: unknown_zero(),
        dropped: unknown_zero(),
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
    most: u64,
    added: u64,
    missing: u64,
    dropped: u64,
}

extern "C" fn step(index: u32, run: *mut Run) -> i64 {
    // SAFETY: the loop passes the state on.
    let run = unsafe { &mut *run };
    if u64::from(index) >= run.folios {
        return 1;
    }
    let page = run.page + u64::from(index) * run.stride;
    let done = pintrace_reconcile_folio(page, run.account as u32, run.most as u32);
    let pins = loops::opaque(done >> 2);
    match done & KIND {
        ADDED => run.added += pins,
        MISSING => run.missing += pins,
        DROPPED => run.dropped += pins,
        _ => {}
    }
    0
}

/// Mask of the action in the result of [`pintrace_reconcile_folio`].
const KIND: u64 = 3;
const ADDED: u64 = 1;
const MISSING: u64 = 2;
const DROPPED: u64 = 3;

/// Reconciles one folio. Returns pins << 2 | action. The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_reconcile_folio(page: u64, account: u32, most: u32) -> u64 {
    let known = pins_known(page);
    let folio = Folio::of(page);
    // A page that has become a tail page has no cell and no pins.
    let real = if folio.is_none() || folio.head() != page {
        0
    } else {
        folio.pins()
    };
    if known > real {
        let surplus = known - real;
        let taken = Chunks::take(page, surplus as u32, ReleaseCode::UNKNOWN, folio.bytes());
        if let Some(owner) = taken.owner_to_debit() {
            let bytes = if taken.emptied() { folio.kept() } else { 0 };
            owners::pintrace_debit(owner, surplus, bytes);
        }
        return (surplus - taken.without_owner()) << 2 | DROPPED;
    }
    let lacking = real - known;
    if lacking == 0 {
        return 0;
    }
    // The cell is made first: user space counts the pins for which the table has no room, and no hook lost a pin.
    if account == 0 || Chunks::find_or_make(page).is_none() {
        return lacking << 2 | MISSING;
    }
    // The folio may have pins of other holders.
    let lacking = if lacking > u64::from(most) {
        u64::from(most)
    } else {
        lacking
    };
    let held = folio_table::pintrace_hold(page, account, lacking as u32);
    let owner = (held >> 32) as u32;
    if owner == 0 {
        return lacking << 2 | MISSING;
    }
    owners::lend(owner, lacking);
    if owner == account && held & multi_owner::FIRST != 0 {
        owners::keep_bytes(owner, folio.kept());
    }
    lacking << 2 | ADDED
}

/// Returns the number of pins that the ledger has on a folio.
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
