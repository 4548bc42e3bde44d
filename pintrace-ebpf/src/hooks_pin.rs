//! Hooks on the exported pin functions (mm/gup.c). They never call one another, so that one hook on
//! the return of each sees every pin exactly once. Those on entry mark long-term calls.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

use crate::{acquire, calls, kernel, pin_call::PinCall};

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
fn entered(ctx: *mut c_void, shape: Shape) -> i32 {
    if acquire::gate_is_open() {
        calls::enter(kernel::argument(ctx, shape.flags));
    }
    0
}

#[inline(always)]
fn returned(ctx: *mut c_void, shape: Shape, pages: i64) -> i32 {
    if !acquire::gate_is_open() {
        return 0;
    }
    let flags = kernel::argument(ctx, shape.flags);
    calls::leave(flags);
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
    acquire::acquired(ctx, &call);
    0
}

macro_rules! pin_hooks {
    ($($function:ident $enter:ident $return:ident $shape:ident $result:ty;)+) => {
        $(
            #[fentry]
            pub fn $enter(ctx: FEntryContext) -> i32 {
                entered(ctx.as_ptr(), $shape)
            }

            #[fexit]
            pub fn $return(ctx: FExitContext) -> i32 {
                match ctx.ret::<$result>() {
                    Ok(pages) => returned(ctx.as_ptr(), $shape, pages as i64),
                    Err(_) => {
                        acquire::unreadable();
                        0
                    }
                }
            }
        )+
    };
}

pin_hooks! {
    pin_user_pages enter_pin_user_pages return_pin_user_pages PLAIN i64;
    pin_user_pages_fast enter_pin_user_pages_fast return_pin_user_pages_fast PLAIN i32;
    pin_user_pages_fast_only enter_pin_user_pages_fast_only return_pin_user_pages_fast_only PLAIN i32;
    pin_user_pages_remote enter_pin_user_pages_remote return_pin_user_pages_remote REMOTE i64;
    pin_user_pages_unlocked enter_pin_user_pages_unlocked return_pin_user_pages_unlocked UNLOCKED i64;
}

/// memfd_pin_folios(file, start, end, folios, max, offset): always long-term, one pin a folio.
#[fentry]
pub fn enter_memfd_pin_folios(_ctx: FEntryContext) -> i32 {
    if acquire::gate_is_open() {
        calls::mark();
    }
    0
}

/// The address of the extent is the offset in the file: no address space is involved.
#[fexit]
pub fn return_memfd_pin_folios(ctx: FExitContext) -> i32 {
    if !acquire::gate_is_open() {
        return 0;
    }
    calls::unmark();
    let Ok(folios) = ctx.ret::<i64>() else {
        acquire::unreadable();
        return 0;
    };
    if folios > 0 {
        let raw = ctx.as_ptr();
        let call = PinCall {
            mm: 0,
            address: kernel::argument(raw, 1) & !4095,
            flags: u64::from(crate::facts::foll_longterm()),
            array: kernel::argument(raw, 3),
            pages: folios as u64,
            caller: kernel::caller(raw),
        };
        acquire::acquired(raw, &call);
    }
    0
}
