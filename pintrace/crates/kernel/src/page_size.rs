//! The page size that pintrace supports.

/// Bytes of a page that pintrace supports. x86-64 has no other page size; 64-bit ARM has others.
pub const SUPPORTED: u64 = 4096;

/// This machine has pages of another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the pages of this kernel have {0} bytes, and pintrace supports pages of {SUPPORTED} bytes only: use a kernel with \
     pages of {SUPPORTED} bytes"
)]
pub struct UnsupportedPageSize(pub u64);

/// Returns the page size of this machine in bytes.
#[must_use]
pub fn of_machine() -> u64 {
    // SAFETY: sysconf takes no pointer.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // sysconf fails only for names that it does not know.
    u64::try_from(bytes).unwrap_or(0)
}

/// Fails if pages of `bytes` bytes are not supported.
pub const fn check(bytes: u64) -> Result<(), UnsupportedPageSize> {
    match bytes {
        SUPPORTED => Ok(()),
        _ => Err(UnsupportedPageSize(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_4_kib_are_supported() {
        assert_eq!(check(4096), Ok(()));
        for bytes in [0, 8192, 16 << 10, 64 << 10] {
            let refused = check(bytes).unwrap_err().to_string();
            assert!(refused.contains(&format!("have {bytes} bytes")), "{refused}");
        }
    }

    #[test]
    fn the_page_size_of_this_machine_is_a_power_of_two() {
        assert!(of_machine().is_power_of_two());
    }
}
