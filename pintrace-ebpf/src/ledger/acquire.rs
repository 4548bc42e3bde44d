//! Adds the pages of a pin call to the folio table and to the counts of its account.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use pintrace_common::{
    counters::{Loss, Total},
    ledger::AccountKey,
};

use crate::{
    compat::loops::{self, Paged},
    count,
    facts::FACTS,
    folio::Folio,
    kernel,
    ledger::{
        accounts,
        areas::{self, NO_FILE_AREA, Part},
        extents::{self, GrowingExtent},
        folio_table::{CellTable, Chunks},
        longterm_scope, multi_owner, owners,
        pin_call::PinCall,
        walk::{self, First, Pages, Visitor},
    },
    log, observer,
    stacks::{Opened, When},
    unknown_zero::unknown_zero,
};

/// Enters a pin call into the ledger, and returns its account. A call without pages only gets its account.
#[inline(always)]
pub fn acquired(ctx: *mut c_void, call: &PinCall, stack: When) -> u32 {
    acquired_by(ctx, call, stack, pintrace_pin_pages)
}

/// Finds or opens the account and the extent of a pin call. `pin_pages` then enters the pages.
#[inline(always)]
pub fn acquired_by(
    ctx: *mut c_void,
    call: &PinCall,
    stack: When,
    pin_pages: extern "C" fn(u32, u32, u64, u64, u64) -> u32,
) -> u32 {
    let longterm = call.flags as u32 & FACTS.foll_longterm() != 0;
    let (pid_tgid, started) = pinner(call.mm);
    let key = AccountKey {
        mm: call.mm,
        caller: call.caller,
        pid_tgid,
        longterm: u32::from(longterm),
        started,
    };
    // The key of an account of another process's mm may be that of an mm that has ended, at the same address.
    if call.mm != 0 {
        observer::on_account(call.mm);
    }
    let mut opened = Opened::new(stack);
    let account = accounts::find_or_open(ctx, &key, &mut opened);
    if call.pages == 0 {
        opened.announce(ctx);
        return account;
    }
    if longterm {
        longterm_scope::returned();
    }
    let opening = if longterm || observer::wants_short_term_extents() {
        extents::begin(ctx, account, call, &mut opened)
    } else {
        None
    };
    let owner = opening.map_or(account, GrowingExtent::owner);
    pin_pages(account, owner, call.span(), call.array, call.pages);
    opened.announce(ctx);
    if call.of_file == 0 {
        observer::on_pin(call.mm, call.address, call.pages);
    }
    log::debug!(ctx, "pinned {} pages at {:x}", call.pages, call.address);
    account
}

/// Calls [`pin_pages`]. The function is global, so that the verifier follows it once and not on every path.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_pin_pages(account: u32, owner: u32, span: u64, array: u64, pages: u64) -> u32 {
    pin_pages::<Chunks>(account, owner, span, array, pages)
}

/// Adds the pages of a call to the folio table, to the account, and to the extent if `owner` names one. `span` is the
/// number of bytes that the call covers, in whole pages.
#[inline(always)]
pub extern "C" fn pin_pages<T: CellTable>(account: u32, owner: u32, span: u64, array: u64, pages: u64) -> u32
where
    Hold<T>: Paged,
{
    // The zeros are unknown to the verifier for the same reason as in `walk`.
    let hold = Hold::<T> {
        part: Part::first(owner),
        account: u64::from(account),
        counts: unknown_zero(),
        bytes: unknown_zero(),
        table: core::marker::PhantomData,
    };
    let hold = walk::walk(Pages::Array(array), pages, hold);
    areas::pintrace_part_end(
        u64::from(account) << 32 | u64::from(hold.part.owner()),
        array + (pages - 1) * 8,
        span - (hold.part.start() << 12),
        hold.counts,
        hold.bytes,
    ) as u32
}

/// Returns the ids and the start time of the task that pins: the running task, or the mm's owner for a kernel thread.
#[inline(always)]
pub fn pinner(mm: u64) -> (u64, u32) {
    // Only a pin into a named mm can come from a kernel thread.
    if mm != 0
        && kernel::current_mm() == 0
        && FACTS.mm_owner() != pintrace_common::facts::Facts::ABSENT
        && let Some(owner) = kernel::read_u64(mm + u64::from(FACTS.mm_owner()))
        && let Some(tgid) = kernel::read_u32(owner + u64::from(FACTS.task_tgid()))
    {
        return (u64::from(tgid) << 32 | u64::from(tgid), started(owner));
    }
    (bpf_get_current_pid_tgid(), started(kernel::current_task()))
}

/// Returns the start time of a task in the unit of [`AccountKey::started`].
#[inline(always)]
fn started(task: u64) -> u32 {
    (kernel::u64_at(task + u64::from(FACTS.task_start_time())) >> 16) as u32
}

/// State of a walk that adds the pages of a call to the folio table.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Hold<T> {
    part: Part,
    /// The account, and [`NO_FILE_AREA`].
    account: u64,
    /// Number of pages of the part that carry a pin << 32 | number of these pages that the table records under the owner.
    counts: u64,
    /// [`KeptBytes`](pintrace_common::folio::KeptBytes) of the folios on which the owner had no pin before.
    bytes: u64,
    table: core::marker::PhantomData<T>,
}

impl<T: CellTable> Visitor for Hold<T>
where
    Self: Paged,
{
    #[inline(always)]
    fn small(&mut self, page: u64) -> u64 {
        let held = T::hold_small(page, self.part.owner(), self.account & NO_FILE_AREA);
        let pins = held & walk::SMALL;
        self.counts += pins << 32 | pins;
        self.bytes += pins << 12;
        self.account = self.account & 0xffff_ffff | held & NO_FILE_AREA;
        held & !NO_FILE_AREA
    }

    #[inline(always)]
    fn begin(&mut self, first: First) {
        let next = areas::of(self.part, first);
        if next.owner() == self.part.owner() || loops::AREAS == 1 {
            return;
        }
        let zero = areas::pintrace_part_end(
            self.account << 32 | u64::from(self.part.owner()),
            first.address() - 8,
            (first.index - self.part.start()) << 12,
            self.counts,
            self.bytes,
        );
        self.part = next;
        self.counts = zero;
        self.bytes = zero;
    }

    #[inline(always)]
    fn run(&mut self, folio: Folio, pins: u32) {
        if !folio.is_pinned() {
            pintrace_count_unpinned(u64::from(pins));
            return;
        }
        self.counts += u64::from(pins) << 32;
        let owner = self.part.owner();
        let held = T::hold(folio.marked_head(), owner, pins);
        let who = (held >> 32) as u32;
        if who == owner {
            self.counts += u64::from(pins);
            if held & multi_owner::FIRST != 0 {
                self.bytes += folio.kept();
            }
        } else {
            owners::pintrace_misplaced(owner, who, u64::from(pins));
        }
    }
}

/// Counts entries without a pin. A function of its own, because the callback of a loop has 32 bytes of the stack.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn pintrace_count_unpinned(entries: u64) -> u32 {
    count::total(Total::Unpinned, entries);
    0
}

/// Counts a pin call whose arguments or result could not be read.
#[inline(always)]
pub fn count_unreadable_call() {
    count::loss(Loss::PinCallUnreadable, 1);
}
