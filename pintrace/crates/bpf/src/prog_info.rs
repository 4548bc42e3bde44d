//! Reads what the kernel tells of a loaded program, by `BPF_OBJ_GET_INFO_BY_FD`: counters, and the addresses of its code.

use std::io;
use std::mem::{offset_of, size_of};
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use aya_obj::generated::bpf_prog_info;

use super::bpf_call::bpf;

/// `enum bpf_cmd` (include/uapi/linux/bpf.h).
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;

/// Least length in bytes of a `bpf_prog_info` with the member `recursion_misses`.
const WITH_RECURSION_MISSES: usize = offset_of!(bpf_prog_info, recursion_misses) + size_of::<u64>();

/// Most functions of a program (`BPF_MAX_SUBPROGS`, include/linux/bpf_verifier.h).
const MOST_FUNCTIONS: usize = 256;

/// The member `info` of `union bpf_attr`.
#[repr(C)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// Returns the number of calls that the kernel skipped because the program was active on that CPU. `None`, not 0, if
/// the kernel does not count skipped calls (before 5.12).
///
/// Each tick reads this counter of about ninety programs; fdinfo would take five system calls for each program.
pub fn recursion_misses(program: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    // SAFETY: `bpf_prog_info` consists of integers and arrays of integers, for which zeros are valid.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    // SAFETY: all addresses in `info` are 0, so the kernel writes to `info` alone.
    let length = unsafe { fill(program, &mut info) }?;
    Ok(misses(&info, length))
}

/// Runs of a program, as the kernel counts them while its BPF statistics are enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramRuns {
    /// The id of the program.
    pub id: u32,
    /// Number of runs.
    pub count: u64,
    /// The time that the runs took.
    pub time: Duration,
}

/// Returns the runs of the program that has this descriptor.
///
/// A number that is no descriptor of a program gives an error. The descriptor may have been closed and belong to
/// another program now, so the caller compares the id.
pub fn runs(descriptor: i32) -> io::Result<ProgramRuns> {
    // SAFETY: as in `recursion_misses`.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    // SAFETY: as in `recursion_misses`.
    unsafe { object_info(descriptor, &mut info) }?;
    Ok(ProgramRuns {
        id: info.id,
        count: info.run_cnt,
        time: Duration::from_nanos(info.run_time_ns),
    })
}

/// Returns the addresses of the machine code of a program, one range for each of its functions. Empty if the kernel shows
/// no addresses to this process (`bpf_dump_raw_ok`), or if the program is not compiled.
pub fn code(program: BorrowedFd<'_>) -> io::Result<Vec<Range<u64>>> {
    let mut starts = [0u64; MOST_FUNCTIONS];
    let mut lengths = [0u32; MOST_FUNCTIONS];
    // SAFETY: as in `recursion_misses`.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    info.nr_jited_ksyms = u32::try_from(MOST_FUNCTIONS).map_err(io::Error::other)?;
    info.jited_ksyms = starts.as_mut_ptr() as u64;
    info.nr_jited_func_lens = info.nr_jited_ksyms;
    info.jited_func_lens = lengths.as_mut_ptr() as u64;
    // SAFETY: both addresses are those of arrays with the given number of elements, which outlive the call.
    unsafe { fill(program, &mut info) }?;
    let known =
        usize::try_from(info.nr_jited_ksyms.min(info.nr_jited_func_lens)).map_err(io::Error::other)?;
    let functions = starts.iter().zip(&lengths).take(known);
    let ranges = functions.map(|(start, length)| *start..start.saturating_add(u64::from(*length)));
    Ok(ranges
        .filter(|range| range.start != 0 && !range.is_empty())
        .collect())
}

/// Fills `info` in, and returns the number of bytes that the kernel knows.
///
/// # Safety
///
/// Each address in `info` must be 0, or the address of writable memory for as many elements as `info` says.
unsafe fn fill(program: BorrowedFd<'_>, info: &mut bpf_prog_info) -> io::Result<usize> {
    // SAFETY: as the caller guarantees.
    unsafe { object_info(program.as_raw_fd(), info) }
}

/// Fills in the information about the object with this descriptor, and returns the number of bytes that the kernel
/// knows. The kernel checks the number and the type of the object.
///
/// # Safety
///
/// `T` must be the struct of the kernel for objects of this type. Each address in `info` must be 0, or the address of
/// writable memory for as many elements as `info` says.
pub(crate) unsafe fn object_info<T>(descriptor: i32, info: &mut T) -> io::Result<usize> {
    let mut attr = InfoAttr {
        bpf_fd: u32::try_from(descriptor).map_err(io::Error::other)?,
        info_len: u32::try_from(size_of::<T>()).map_err(io::Error::other)?,
        info: &raw mut *info as u64,
    };
    // SAFETY: the attribute has the layout of the command; `info` is alive and `info_len` bytes long. The caller
    // guarantees the rest.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(attr.info_len as usize)
}

/// Returns the counter if the kernel has filled it in. `length` is the lesser of the kernel's and the caller's length
/// of the struct (`bpf_prog_get_info_by_fd`, kernel/bpf/syscall.c).
fn misses(info: &bpf_prog_info, length: usize) -> Option<u64> {
    (length >= WITH_RECURSION_MISSES).then_some(info.recursion_misses)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn a_failed_system_call_is_an_error_and_not_zero() {
        assert!(recursion_misses(std::io::stdin().as_fd()).is_err());
        assert!(code(std::io::stdin().as_fd()).is_err());
        assert!(runs(0).is_err() && runs(-1).is_err());
    }

    #[test]
    fn a_shorter_struct_has_no_count() {
        // SAFETY: as in `recursion_misses`.
        let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
        info.recursion_misses = 3;
        assert_eq!(misses(&info, WITH_RECURSION_MISSES), Some(3));
        assert_eq!(misses(&info, WITH_RECURSION_MISSES - 1), None);
    }
}
