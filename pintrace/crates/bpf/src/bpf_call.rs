//! bpf(2), for the commands that aya does not offer.

use std::io;

/// Makes the call.
///
/// # Safety
///
/// `attr` is laid out as the member of `union bpf_attr` that this command takes, and what it points to is alive.
pub(crate) unsafe fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<()> {
    // SAFETY: the attribute is as long as said and outlives the call; the rest is by the contract.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
