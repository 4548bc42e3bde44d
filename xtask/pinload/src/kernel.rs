//! The behaviour of the running kernel, as far as it has been measured.
//!
//! A workload may compare release numbers; pintrace itself must not. Each fact names the series on which the pin
//! counters were measured. Between these series the result is `None`.

use nix::sys::utsname::uname;

use crate::failure::{Explain, Failure, Result};

/// A kernel release: the part that the facts depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KernelRelease {
    major: u32,
    minor: u32,
}

impl KernelRelease {
    /// Returns the release of the running kernel.
    pub(crate) fn running() -> Result<Self> {
        let name = uname().failing(
            "cannot read the kernel's release",
            "report this as a bug of pinload",
        )?;
        let release = name.release().to_string_lossy().into_owned();
        Self::parse(&release).ok_or_else(|| {
            Failure::failed(
                format!("the kernel's release {release:?} does not begin with two numbers"),
                "report this as a bug of pinload",
            )
        })
    }

    fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        Some(Self {
            major: numbers.next()?.parse().ok()?,
            minor: numbers.next()?.parse().ok()?,
        })
    }

    const fn at_least(self, major: u32, minor: u32) -> bool {
        self.major > major || (self.major == major && self.minor >= minor)
    }

    /// Returns true if direct I/O takes FOLL_PIN. The block layer uses `iov_iter_extract_pages` since 6.5; 5.10 and 6.1
    /// take FOLL_GET.
    pub(crate) const fn direct_io_pins(self) -> Option<bool> {
        if self.at_least(6, 5) {
            Some(true)
        } else if self.at_least(6, 3) {
            None
        } else {
            Some(false)
        }
    }

    /// Returns true if io_uring keeps only one pin of each large folio after the registration of a buffer. Kernels
    /// since 6.12 do so for every buffer. 6.4 to 6.11 do so only if one folio contains the whole buffer, which was not
    /// measured.
    pub(crate) const fn io_uring_coalesces(self) -> Option<bool> {
        if self.at_least(6, 12) {
            Some(true)
        } else if self.at_least(6, 2) {
            None
        } else {
            Some(false)
        }
    }

    /// Returns the pages that VFIO pins before it compares with the limit of locked memory. 5.10 pins page by page, and
    /// one page more at each end of adjoining pages.
    pub(crate) const fn vfio_batch(self) -> Option<u64> {
        if self.at_least(5, 12) { Some(512) } else { None }
    }

    /// Returns true if a pin of the 4 KiB zero page is counted: true in 5.10, false since 6.5. The series between 5.10
    /// and 6.5 changed in stable releases (Debian's 6.1.176 does not count the zero page), so the series number does
    /// not decide.
    pub(crate) const fn counts_zero_page(self) -> Option<bool> {
        if self.at_least(6, 5) {
            Some(false)
        } else if self.at_least(5, 11) {
            None
        } else {
            Some(true)
        }
    }

    /// Returns true if udmabuf takes pins (`memfd_pin_folios`), one for each folio. Before 6.12 it takes plain page
    /// references.
    pub(crate) const fn udmabuf_pins(self) -> Option<bool> {
        if self.at_least(6, 12) {
            Some(true)
        } else if self.at_least(6, 2) {
            None
        } else {
            Some(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_parse() {
        assert_eq!(
            KernelRelease::parse("6.1.0-41-cloud-amd64"),
            Some(KernelRelease { major: 6, minor: 1 })
        );
        assert_eq!(
            KernelRelease::parse("7.3+deb"),
            Some(KernelRelease { major: 7, minor: 3 })
        );
        assert_eq!(KernelRelease::parse("linux"), None);
    }

    #[test]
    fn direct_io_is_unknown_only_between_the_measured_series() {
        let answer = |major, minor| KernelRelease { major, minor }.direct_io_pins();
        assert_eq!(answer(6, 1), Some(false));
        assert_eq!(answer(6, 4), None);
        assert_eq!(answer(6, 12), Some(true));
        assert_eq!(answer(7, 0), Some(true));
    }
}
