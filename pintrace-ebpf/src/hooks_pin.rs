//! Hooks on the return of the exported pin functions (mm/gup.c). They never call one another, so that
//! one hook on each sees every pin exactly once.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, macros::fexit, programs::FExitContext};

use crate::{acquire, calls, facts, kernel, pin_call::PinCall, stacks::When, turns::Turn};

/// Where a prototype has what; -1 for the running task's own `mm`.
#[derive(Clone, Copy)]
struct Shape {
    mm: i32,
    start: u32,
    flags: u32,
    pages: u32,
}

/// long (start, nr, flags, pages[, vmas]) and int (start, nr, flags, pages).
const PLAIN: Shape = Shape {
    mm: -1,
    start: 0,
    flags: 2,
    pages: 3,
};
/// long (mm, start, nr, flags, pages[, vmas], locked).
const REMOTE: Shape = Shape {
    mm: 0,
    start: 1,
    flags: 3,
    pages: 4,
};
/// long (start, nr, pages, flags).
const UNLOCKED: Shape = Shape {
    mm: -1,
    start: 0,
    flags: 3,
    pages: 2,
};

#[inline(always)]
fn returned(turn: Turn, ctx: *mut c_void, shape: Shape, pages: i64) -> i32 {
    if !turn.counts(ctx) || !acquire::gate_is_open() {
        return 0;
    }
    let flags = kernel::argument(ctx, shape.flags);
    if calls::is_longterm(flags) {
        // Where its own hooks stand at the call's heart, the mark is gone already.
        calls::unmark();
    }
    if pages <= 0 {
        return 0;
    }
    let call = PinCall {
        mm: if shape.mm < 0 {
            0
        } else {
            kernel::argument(ctx, shape.mm as u32)
        },
        address: kernel::argument(ctx, shape.start) & !4095,
        flags,
        array: kernel::argument(ctx, shape.pages),
        pages: pages as u64,
        caller: kernel::caller(ctx),
    };
    acquire::acquired(ctx, &call, When::in_trampoline());
    0
}

macro_rules! pin_returns {
    ($($name:ident $again:ident $shape:ident $result:ty;)+) => {
        $(
            pin_returns!(@ $name First $shape $result);
            pin_returns!(@ $again Second $shape $result);
        )+
    };
    (@ $name:ident $turn:ident $shape:ident $result:ty) => {
        #[fexit]
        pub fn $name(ctx: FExitContext) -> i32 {
            match ctx.ret::<$result>() {
                Ok(pages) => returned(Turn::$turn, ctx.as_ptr(), $shape, pages as i64),
                Err(_) => {
                    acquire::unreadable();
                    0
                }
            }
        }
    };
}

pin_returns! {
    return_pin_user_pages return_pin_user_pages_again PLAIN i64;
    return_pin_user_pages_fast return_pin_user_pages_fast_again PLAIN i32;
    return_pin_user_pages_fast_only return_pin_user_pages_fast_only_again PLAIN i32;
    return_pin_user_pages_remote return_pin_user_pages_remote_again REMOTE i64;
    return_pin_user_pages_unlocked return_pin_user_pages_unlocked_again UNLOCKED i64;
}

/// memfd_pin_folios(file, start, end, folios, max, offset): always long-term, one pin a folio. The
/// address of the extent is the offset in the file: no address space is involved.
#[inline(always)]
fn returned_memfd(turn: Turn, ctx: &FExitContext) -> i32 {
    let raw = ctx.as_ptr();
    if !turn.counts(raw) || !acquire::gate_is_open() {
        return 0;
    }
    calls::unmark();
    let Ok(folios) = ctx.ret::<i64>() else {
        acquire::unreadable();
        return 0;
    };
    if folios > 0 {
        let call = PinCall {
            mm: 0,
            address: kernel::argument(raw, 1) & !4095,
            flags: u64::from(facts::foll_longterm()),
            array: kernel::argument(raw, 3),
            pages: folios as u64,
            caller: kernel::caller(raw),
        };
        acquire::acquired(raw, &call, When::in_trampoline());
    }
    0
}

/// Return of memfd_pin_folios.
#[fexit]
pub fn return_memfd_pin_folios(ctx: FExitContext) -> i32 {
    returned_memfd(Turn::First, &ctx)
}

/// Its second copy.
#[fexit]
pub fn return_memfd_pin_folios_again(ctx: FExitContext) -> i32 {
    returned_memfd(Turn::Second, &ctx)
}
