//! What the kernel has counted of a loaded program, by BPF_OBJ_GET_INFO_BY_FD.

use std::os::fd::{AsRawFd, BorrowedFd};

use aya_obj::generated::bpf_prog_info;

use super::bpf_call::bpf;

/// `enum bpf_cmd` (include/uapi/linux/bpf.h).
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;

/// The member `info` of `union bpf_attr`.
#[repr(C)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// Calls that the kernel skipped because the program was already active on that CPU; 0 on kernels that do not count
/// (before 5.12). Asked at every tick of some ninety programs, for each of which fdinfo would take five system calls.
pub fn recursion_misses(program: BorrowedFd<'_>) -> u64 {
    // SAFETY: integers and arrays of integers only.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    let (Ok(bpf_fd), Ok(info_len)) = (
        u32::try_from(program.as_raw_fd()),
        u32::try_from(size_of::<bpf_prog_info>()),
    ) else {
        return 0;
    };
    let mut attr = InfoAttr {
        bpf_fd,
        info_len,
        info: &raw mut info as u64,
    };
    // SAFETY: laid out as the command wants, and what it points to is as long as said and alive. A kernel that knows less
    // writes less, and leaves the rest zero.
    match unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr) } {
        Ok(()) => info.recursion_misses,
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn what_is_no_program_has_skipped_nothing() {
        assert_eq!(recursion_misses(std::io::stdin().as_fd()), 0);
    }
}
