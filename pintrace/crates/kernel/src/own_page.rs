//! Pins a page of this process without side effects: process_vm_readv on one byte of this process pins the page
//! (`process_vm_rw_single_vec`, mm/process_vm_access.c), copies the byte, and unpins the page in one system call.

/// Pins and unpins one page of this process. Fails if process_vm_readv does not copy the byte.
pub fn pin() -> std::io::Result<()> {
    let (mut to, mut from) = ([0u8; 1], [1u8; 1]);
    let vector = |bytes: &mut [u8; 1]| libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let (local, remote) = (vector(&mut to), vector(&mut from));
    // SAFETY: getpid takes no pointers.
    let own = unsafe { libc::getpid() };
    // SAFETY: each vector describes one byte on this stack; the byte that is written is borrowed mutably.
    let copied = unsafe { libc::process_vm_readv(own, &raw const local, 1, &raw const remote, 1, 0) };
    match copied {
        1 => Ok(()),
        -1 => Err(std::io::Error::last_os_error()),
        other => Err(std::io::Error::other(format!(
            "process_vm_readv copied {other} bytes instead of 1"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_can_pin_its_own_page() {
        super::pin().unwrap();
    }
}
