//! Calls bpf(2), for commands that aya lacks.

use std::io;

/// Calls bpf(2). Returns the error of the system call.
///
/// # Safety
///
/// `attr` must have the layout of the member of `union bpf_attr` that `command` takes. The memory that `attr` points to
/// must be valid during the call.
pub(crate) unsafe fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<()> {
    // SAFETY: `attr` has the given size and outlives the call; the caller guarantees the rest.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
