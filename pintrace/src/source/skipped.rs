//! Calls that the kernel skipped because the program was already active on that CPU
//! (`bpf_prog_inc_misses_counter`), and that no second copy made good.

use std::os::fd::{AsRawFd, BorrowedFd};

use aya_obj::generated::bpf_prog_info;

/// Counts them over time.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    /// Skipped and not made good when last read.
    last: u64,
    confirmed: u64,
}

impl Skipped {
    /// Takes a reading: calls skipped in the first copies, and calls that second copies made good, read
    /// after it. Gives what is lost for certain.
    ///
    /// A thread may be between the copies just now: skipped, and not yet made good. So only what two readings
    /// in a row find missing is lost; and the figure never goes back.
    pub(super) fn read(&mut self, skipped: u64, made_good: u64) -> u64 {
        let now = skipped.saturating_sub(made_good);
        self.confirmed = self.confirmed.max(self.last.min(now));
        self.last = now;
        self.confirmed
    }
}

/// `enum bpf_cmd` (include/uapi/linux/bpf.h).
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;

/// The member `info` of `union bpf_attr`.
#[repr(C)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// What the kernel has counted of a program; 0 on kernels that do not count (before 5.12). Asked at every tick of some
/// ninety programs, for each of which fdinfo would take five system calls.
pub(super) fn by_program(program: BorrowedFd<'_>) -> u64 {
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
    // SAFETY: the attribute is as long as said; both it and what it points to outlive the call. A kernel that knows less
    // writes less, and leaves the rest zero.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_OBJ_GET_INFO_BY_FD,
            &raw mut attr,
            size_of::<InfoAttr>(),
        )
    };
    if result < 0 { 0 } else { info.recursion_misses }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn a_thread_between_the_copies_is_not_lost() {
        let mut skipped = Skipped::default();
        assert_eq!(skipped.read(1, 0), 0);
        assert_eq!(skipped.read(1, 1), 0);
        assert_eq!(skipped.read(3, 2), 0);
        assert_eq!(skipped.read(4, 4), 0);
    }

    #[test]
    fn what_stays_missing_is_lost_and_stays_so() {
        let mut skipped = Skipped::default();
        assert_eq!(skipped.read(5, 3), 0);
        assert_eq!(skipped.read(9, 7), 2);
        assert_eq!(skipped.read(9, 9), 2);
    }

    #[test]
    fn what_is_no_program_has_skipped_nothing() {
        assert_eq!(by_program(std::io::stdin().as_fd()), 0);
    }
}
