//! Runs a raw tracepoint program once, by BPF_PROG_TEST_RUN.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::bpf_call::bpf;

/// `enum bpf_cmd` (include/uapi/linux/bpf.h).
const BPF_PROG_TEST_RUN: libc::c_int = 10;
/// Most arguments of a raw tracepoint (`MAX_BPF_FUNC_ARGS`).
const MOST_ARGUMENTS: usize = 12;

/// The member `test` of `union bpf_attr`, up to the last field that this command reads.
#[derive(Default)]
#[repr(C)]
struct TestRunAttr {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    reserved: u32,
}

/// Runs a loaded raw tracepoint program with these arguments. Returns the duration of the system call.
pub fn test_run(program: BorrowedFd<'_>, arguments: &[u64]) -> io::Result<Duration> {
    if arguments.len() > MOST_ARGUMENTS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut attr = TestRunAttr {
        prog_fd: u32::try_from(program.as_raw_fd()).map_err(io::Error::other)?,
        ctx_size_in: u32::try_from(size_of_val(arguments)).map_err(io::Error::other)?,
        ctx_in: arguments.as_ptr() as u64,
        ..TestRunAttr::default()
    };
    let begin = Instant::now();
    // SAFETY: `attr` has the layout of the command. The kernel only reads the arguments, which outlive the call.
    let result = unsafe { bpf(BPF_PROG_TEST_RUN, &mut attr) };
    let took = begin.elapsed();
    result?;
    Ok(took)
}
