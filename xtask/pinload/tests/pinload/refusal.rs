//! A kernel that refuses a system call: a filter of seccomp(2) that the program inherits.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
/// Offsets in `struct seccomp_data` of the number of the call and of the low half of the second argument.
const CALL: u32 = 0;
const SECOND_ARGUMENT: u32 = 24;

/// Lets the kernel refuse a system call of the command: each call, or the calls with this second argument.
pub(crate) fn refuse(command: &mut Command, call: i64, argument: Option<u32>, error: Errno) {
    let refused = libc::SECCOMP_RET_ERRNO | u32::try_from(error as i32).unwrap();
    let tested = argument.map(|argument| (SECOND_ARGUMENT, argument));
    let tests = [Some((CALL, u32::try_from(call).unwrap())), tested];
    let tests: Vec<_> = tests.into_iter().flatten().collect();
    let mut program = Vec::new();
    for (index, (offset, value)) in tests.iter().enumerate() {
        // Steps to the last instruction, which allows the call: over the rest of the tests and the refusal.
        let unequal = u8::try_from(2 * (tests.len() - index - 1) + 1).unwrap();
        program.push(instruction(LOAD, 0, *offset));
        program.push(instruction(IF_EQUAL, unequal, *value));
    }
    program.push(instruction(RETURN, 0, refused));
    program.push(instruction(RETURN, 0, libc::SECCOMP_RET_ALLOW));
    // SAFETY: between fork and exec, the closure only makes system calls.
    unsafe { command.pre_exec(move || install(&mut program)) };
}

fn instruction(code: u32, unequal: u8, value: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt: 0,
        jf: unequal,
        k: value,
    }
}

fn install(program: &mut [libc::sock_filter]) -> io::Result<()> {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).unwrap_or(0),
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the filter outlives the calls, and the kernel copies it.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) == 0
    };
    if done {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
