//! The open file on which the running system call pins: the file behind the descriptor in its first argument.

use pintrace_common::pin_calls::NO_DESCRIPTOR;

use crate::{
    facts::FACTS,
    facts::MM_EVENT_FACTS,
    kernel,
    syscall_args::{IO_URING_REGISTER, IOCTL, SyscallArgs, WRITE},
};

/// System calls of x86-64 whose first argument is a descriptor and that pin for long
/// (arch/x86/entry/syscalls/syscall_64.tbl). A uverbs context also takes commands by write.
mod call {
    pub const SETSOCKOPT: i64 = 54;
}

/// Flag of the second argument of io_uring_register: the first argument is a slot of the thread's registered rings
/// (`IORING_REGISTER_USE_REGISTERED_RING`, include/uapi/linux/io_uring.h).
const REGISTERED_RING: u64 = 1 << 31;
/// Registered rings of a thread (`IO_RINGFD_REG_MAX`).
const REGISTERED_RINGS: u64 = 16;

/// Returns the address of the `struct file` on which the running system call pins; 0 if the call has no descriptor. The
/// function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_open_file() -> u64 {
    // Without the layout of the registers, the arguments of the system call are unknown.
    if MM_EVENT_FACTS.regs_bytes() == 0 || FACTS.task_files() == 0 {
        return 0;
    }
    let call = SyscallArgs::current();
    // -1 for a call of 32-bit x86, whose file is unknown.
    let number = call.number();
    let (fd, second) = (call.first(), call.second());
    if number == IO_URING_REGISTER && second & REGISTERED_RING != 0 {
        return registered_ring(fd);
    }
    match number {
        WRITE | IOCTL | call::SETSOCKOPT | IO_URING_REGISTER => file_of(fd),
        _ => 0,
    }
}

/// Returns the descriptor on which the running system call pins; [`NO_DESCRIPTOR`] if there is none, or if it is a slot of
/// the thread's registered rings. The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_descriptor() -> u64 {
    if MM_EVENT_FACTS.regs_bytes() == 0 {
        return NO_DESCRIPTOR;
    }
    let call = SyscallArgs::current();
    match call.number() {
        IO_URING_REGISTER if call.second() & REGISTERED_RING != 0 => NO_DESCRIPTOR,
        WRITE | IOCTL | call::SETSOCKOPT | IO_URING_REGISTER => call.first() & 0xffff_ffff,
        _ => NO_DESCRIPTOR,
    }
}

#[inline(always)]
fn file_of(fd: u64) -> u64 {
    let task = kernel::current_task();
    let files = kernel::u64_at(task + u64::from(FACTS.task_files()));
    let table = kernel::u64_at(files + u64::from(FACTS.files_fdt()));
    if fd >= u64::from(kernel::u32_at(table + u64::from(FACTS.fdt_max_fds()))) {
        return 0;
    }
    let array = kernel::u64_at(table + u64::from(FACTS.fdt_fd()));
    kernel::u64_at(array + fd * 8)
}

#[inline(always)]
fn registered_ring(slot: u64) -> u64 {
    if FACTS.task_io_uring() == 0 || slot >= REGISTERED_RINGS {
        return 0;
    }
    let io_uring = kernel::u64_at(kernel::current_task() + u64::from(FACTS.task_io_uring()));
    if io_uring == 0 {
        return 0;
    }
    kernel::u64_at(io_uring + u64::from(FACTS.registered_rings()) + slot * 8)
}
