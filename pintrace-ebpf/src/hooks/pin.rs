//! Hooks on the return of the exported pin functions (mm/gup.c). These functions never call one another, so that one
//! hook on each function sees every pin exactly once.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, macros::fexit, programs::FExitContext};

use crate::{
    backup::Role,
    compat::trampoline,
    facts::FACTS,
    ledger::{
        acquire, longterm_scope,
        pin_call::PinCall,
        pin_calls::{self, Outcome},
        small_folio,
        state::gate_is_open,
    },
    observer,
    rdonly_cast::Words,
    stacks::When,
    test_pins,
};

/// The index of each argument in the prototype of a pin function.
#[derive(Clone, Copy)]
struct Shape {
    /// Number of parameters. Only kernels before 5.17 need the number (`trampoline.rs`).
    parameters: u32,
    mm: i32,
    start: u32,
    flags: u32,
    pages: u32,
    /// The function is `pin_user_pages_fast`.
    fast: bool,
}

/// long (start, nr, flags, pages[, vmas]) and int (start, nr, flags, pages).
const PLAIN: Shape = Shape {
    parameters: 4,
    mm: -1,
    start: 0,
    flags: 2,
    pages: 3,
    fast: false,
};
/// The same, for the function that direct I/O calls.
const FAST: Shape = Shape { fast: true, ..PLAIN };
/// long (start, nr, flags, pages, vmas or locked), up to 6.4.
const PLAIN_AND_ONE: Shape = Shape {
    parameters: 5,
    ..PLAIN
};
/// long (mm, start, nr, flags, pages[, vmas], locked).
const REMOTE: Shape = Shape {
    parameters: 7,
    mm: 0,
    start: 1,
    flags: 3,
    pages: 4,
    fast: false,
};
/// long (start, nr, pages, flags).
const UNLOCKED: Shape = Shape {
    parameters: 4,
    mm: -1,
    start: 0,
    flags: 3,
    pages: 2,
    fast: false,
};

#[inline(always)]
fn returned(ctx: *mut c_void, shape: Shape, pages: i64) {
    if !gate_is_open() {
        if pages > 0 {
            test_pins::pintrace_test_pinned(trampoline::argument(ctx, shape.pages), pages as u64);
        }
        return;
    }
    let flags = trampoline::integer(ctx, shape.flags);
    // A short-term call of no pages has failed by no error, and pinned nothing.
    if pages == 0 && !longterm_scope::is_longterm(flags) {
        return;
    }
    let call = PinCall {
        mm: if shape.mm < 0 {
            0
        } else {
            trampoline::argument(ctx, shape.mm as u32)
        },
        address: trampoline::integer(ctx, shape.start) & !4095,
        flags,
        array: trampoline::argument(ctx, shape.pages),
        pages: pages.max(0) as u64,
        caller: trampoline::caller(ctx, shape.parameters),
        of_file: 0,
    };
    let account = acquire::acquired(ctx, &call, When::in_trampoline());
    let outcome = Outcome {
        wanted: trampoline::integer(ctx, shape.start + 1) & 0xffff_ffff,
        pinned: pages.max(0) as u64,
        errno: errno(pages),
        fast: shape.fast,
    };
    pin_calls::ended(account, longterm_scope::is_longterm(flags), outcome);
}

/// Returns the error number of a result; 0 for a number of pages.
#[inline(always)]
fn errno(result: i64) -> u64 {
    if result < 0 { result.unsigned_abs() } else { 0 }
}

/// Handles a call of pin_user_pages_fast that pins one page for one I/O, if nothing but the ordinary has to be done
/// ([`small_folio`]). The frame of the trampoline is read as words: four arguments, the return value, the saved frame
/// pointer, and the return addresses ([`trampoline::caller`]).
#[inline(always)]
fn took_short_way(ctx: *mut c_void) -> bool {
    if FACTS.short_pins() == 0 || !gate_is_open() {
        return false;
    }
    if trampoline::integer(ctx, 4) as u32 != 1 || longterm_scope::is_longterm(trampoline::integer(ctx, 2)) {
        return false;
    }
    let frame = Words::readable(ctx.cast());
    let caller = trampoline::caller_of(ctx, [frame.word::<6>(), frame.word::<7>()]);
    if !small_folio::acquired(frame.word::<3>(), caller) {
        return false;
    }
    observer::on_pin(0, trampoline::integer(ctx, 0) & !4095, 1);
    true
}

macro_rules! pin_returns {
    ($($name:ident $backup:ident $shape:ident $result:ty;)+) => {
        $(
            pin_returns!(@ $name Primary $shape $result);
            pin_returns!(@ $backup LastBackup $shape $result);
        )+
    };
    (@short FAST $ctx:ident) => { took_short_way($ctx) };
    (@short $shape:ident $ctx:ident) => { false };
    (@ $name:ident $role:ident $shape:ident $result:ty) => {
        #[fexit]
        pub fn $name(ctx: FExitContext) -> i32 {
            let raw = ctx.as_ptr();
            if let Some(_claim) = Role::$role.claim_on_cpu(raw)
                && !pin_returns!(@short $shape raw)
            {
                match trampoline::result(raw, $shape.parameters) {
                    Some(pages) => returned(raw, $shape, i64::from(pages as $result)),
                    None => acquire::count_unreadable_call(),
                }
            }
            0
        }
    };
}

pin_returns! {
    return_pin_user_pages return_pin_user_pages_backup PLAIN_AND_ONE i64;
    return_pin_user_pages_locked return_pin_user_pages_locked_backup PLAIN_AND_ONE i64;
    return_pin_user_pages_fast return_pin_user_pages_fast_backup FAST i32;
    return_pin_user_pages_fast_only return_pin_user_pages_fast_only_backup PLAIN i32;
    return_pin_user_pages_remote return_pin_user_pages_remote_backup REMOTE i64;
    return_pin_user_pages_unlocked return_pin_user_pages_unlocked_backup UNLOCKED i64;
}

const MEMFD_PARAMETERS: u32 = 6;

/// Handles memfd_pin_folios(file, start, end, folios, max, offset), which always pins long-term and takes one pin for
/// each folio. The address of the extent is the offset in the file, because the call concerns no mm.
#[inline(always)]
fn returned_memfd(role: Role, raw: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_on_cpu(raw) else {
        return 0;
    };
    if !gate_is_open() {
        return 0;
    }
    let Some(folios) = trampoline::result(raw, MEMFD_PARAMETERS) else {
        acquire::count_unreadable_call();
        return 0;
    };
    let folios = folios as i64;
    let address = trampoline::argument(raw, 1) & !4095;
    // `end` is the offset of the last byte.
    let end = (trampoline::argument(raw, 2) | 4095) + 1;
    let call = PinCall {
        mm: 0,
        address,
        flags: u64::from(FACTS.foll_longterm()),
        array: trampoline::argument(raw, 3),
        pages: folios.max(0) as u64,
        caller: trampoline::caller(raw, MEMFD_PARAMETERS),
        of_file: end - address,
    };
    let account = acquire::acquired(raw, &call, When::in_trampoline());
    let wanted = (end - address) >> 12;
    let outcome = Outcome {
        wanted,
        pinned: if folios > 0 { wanted } else { 0 },
        errno: errno(folios),
        fast: false,
    };
    pin_calls::ended(account, true, outcome);
    0
}

/// Runs on return of memfd_pin_folios.
#[fexit]
pub fn return_memfd_pin_folios(ctx: FExitContext) -> i32 {
    returned_memfd(Role::Primary, ctx.as_ptr())
}

/// Is the backup of [`return_memfd_pin_folios`].
#[fexit]
pub fn return_memfd_pin_folios_backup(ctx: FExitContext) -> i32 {
    returned_memfd(Role::LastBackup, ctx.as_ptr())
}
