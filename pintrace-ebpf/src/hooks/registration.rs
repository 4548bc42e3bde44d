//! Hooks on the returns of calls that register memory: why they fail.
//!
//! A registration may fail before it pins a page, because of RLIMIT_MEMLOCK (`__io_account_mem`, io_uring/rsrc.c;
//! `xdp_umem_account_pages`, net/xdp/xdp_umem.c). No hook on a pin function sees that.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, macros::fexit, programs::FExitContext};
use pintrace_common::registrations::{kind, operation};

use crate::{
    compat::trampoline,
    kernel,
    ledger::{registrations, state::gate_is_open},
    syscall_args::SyscallArgs,
};

/// Number of parameters of the entry functions of system calls: the registers.
const SYSCALL_PARAMETERS: u32 = 1;

/// Bit that makes the first argument of io_uring_register a slot (`IORING_REGISTER_USE_REGISTERED_RING`).
const REGISTERED_RING: u32 = 1 << 31;

/// Runs on return of __x64_sys_io_uring_register.
#[fexit]
pub fn leave_io_uring_register(ctx: FExitContext) -> i32 {
    let Some(errno) = failed(ctx.as_ptr(), SYSCALL_PARAMETERS) else {
        return 0;
    };
    let call = SyscallArgs::current();
    let operation = call.second() as u32 & !REGISTERED_RING;
    if operation::registers_memory(operation) {
        let (wanted, wants_more) = registrations::wanted_by_io_uring(operation, call.third(), call.fourth());
        registrations::count(kind::IO_URING_REGISTER, operation, errno, (wanted, wants_more));
    }
    0
}

/// Runs on return of __x64_sys_io_uring_setup.
#[fexit]
pub fn leave_io_uring_setup(ctx: FExitContext) -> i32 {
    if let Some(errno) = failed(ctx.as_ptr(), SYSCALL_PARAMETERS) {
        registrations::count(kind::IO_URING_SETUP, 0, errno, (0, 0));
    }
    0
}

/// Runs on return of xdp_umem_create(mr), which returns a pointer or an error.
#[fexit]
pub fn leave_xdp_umem_create(ctx: FExitContext) -> i32 {
    /// Offset of `xdp_umem_reg.len` (include/uapi/linux/if_xdp.h).
    const LENGTH: u64 = 8;
    let ctx = ctx.as_ptr();
    if let Some(errno) = failed(ctx, 1) {
        let wanted = kernel::u64_at(trampoline::argument(ctx, 0) + LENGTH);
        registrations::count(kind::XDP_UMEM_REG, 0, errno, (wanted, 0));
    }
    0
}

/// Returns the error number that a function returned; `None` for success.
#[inline(always)]
fn failed(ctx: *mut c_void, parameters: u32) -> Option<u32> {
    if !gate_is_open() {
        return None;
    }
    registrations::errno_of(trampoline::result(ctx, parameters)? as i64)
}
