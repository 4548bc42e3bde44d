//! Long-term pin calls that have ended although no hook saw their return.
//!
//! When a program is attached to a function that has programs already, or detached, the kernel makes a new trampoline. A call
//! that entered the old one then returns without its return programs, and nothing counts that (`bpf_tramp_image_put`,
//! kernel/bpf/trampoline.c). So a second tracer makes the first one miss the returns of all calls in flight.
//!
//! The registers with which a task entered the kernel stay as they are until the task enters the kernel again. If they have
//! changed, the task has left the system call of the pin call.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use pintrace_common::{counters::Loss, pin_calls::LongtermCall};

use crate::map_ref::{Lookup, MapRef, get, set, word};
use crate::{count, facts::MM_EVENT_FACTS, ledger::longterm_scope, maps, syscall_args::SyscallArgs};

/// Keeps in the entry of the running task's call what [`forget_ended_call`] compares.
#[inline(always)]
pub fn remember(call: MapRef<LongtermCall>) {
    // Without the layout of the registers, the system call is unknown.
    if MM_EVENT_FACTS.regs_bytes() == 0 {
        return;
    }
    // A global function takes no pointer, and what is read from a map is a number.
    word!(call.registers).store(SyscallArgs::current().address());
    let registers = word!(call.registers).load();
    set!(call.system_call = pintrace_system_call(registers));
}

/// Returns a hash of the system call in registers at an address; 0 for none. The function is global, so that the verifier
/// follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn pintrace_system_call(registers: u64) -> u64 {
    SyscallArgs::at(registers).identity()
}

/// Removes the entry of a task's call if the task has left the system call, and counts the call. Argument: tgid << 32 | tid.
/// User space runs this program; no hook calls it.
#[raw_tracepoint]
pub fn forget_ended_call(ctx: RawTracePointContext) -> i32 {
    let task: u64 = ctx.arg(0);
    let Some(call) = maps::LONGTERM_CALLS.at(task) else {
        return 0;
    };
    let registers = get!(call.registers);
    if registers == 0 || pintrace_system_call(registers) == get!(call.system_call) {
        return 0;
    }
    longterm_scope::forget_of(task);
    count::loss(Loss::ReturnUnseen, 1);
    0
}
