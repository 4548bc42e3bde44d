//! The kernel's vmstat counters: `nr_foll_pin_acquired` and `nr_foll_pin_released` in /proc/vmstat.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Counts since boot, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vmstat {
    /// `nr_foll_pin_acquired`.
    pub acquired: u64,
    /// `nr_foll_pin_released`.
    pub released: u64,
}

/// Reads the two counters.
#[derive(Debug)]
pub struct VmstatReader {
    vmstat: PathBuf,
    /// Open as long as the reader lives, because a session may open no file for writing later. `None` if it cannot be opened.
    refresh: Option<File>,
}

impl VmstatReader {
    /// Returns a reader of the counters below `proc`.
    pub fn new(proc: &Path) -> Self {
        Self {
            vmstat: proc.join("vmstat"),
            refresh: File::options()
                .write(true)
                .open(proc.join("sys/vm/stat_refresh"))
                .ok(),
        }
    }

    /// Returns the counters now. A refresh first folds in the per-CPU parts (`vmstat_refresh`, mm/vmstat.c; needs
    /// root): without a refresh the counts lag by up to 125 pages a CPU. `None` if the refresh or the read fails.
    pub fn read(&self) -> Option<Vmstat> {
        self.refresh.as_ref()?.write_at(b"1", 0).ok()?;
        parse(&std::fs::read_to_string(&self.vmstat).ok()?)
    }
}

fn parse(vmstat: &str) -> Option<Vmstat> {
    let value = |name: &str| {
        vmstat
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    };
    Some(Vmstat {
        acquired: value("nr_foll_pin_acquired")?,
        released: value("nr_foll_pin_released")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_counters_are_found() {
        let text = "nr_free_pages 1\nnr_foll_pin_acquired 5898\nnr_foll_pin_released 5000\n";
        assert_eq!(
            parse(text),
            Some(Vmstat {
                acquired: 5898,
                released: 5000
            })
        );
    }

    #[test]
    fn the_counters_are_read_after_a_refresh_and_not_without() {
        let proc = tempfile::tempdir().unwrap();
        std::fs::write(
            proc.path().join("vmstat"),
            "nr_foll_pin_acquired 2\nnr_foll_pin_released 1\n",
        )
        .unwrap();
        assert_eq!(VmstatReader::new(proc.path()).read(), None);
        let refresh = proc.path().join("sys/vm/stat_refresh");
        std::fs::create_dir_all(refresh.parent().unwrap()).unwrap();
        std::fs::write(&refresh, "").unwrap();
        let reader = VmstatReader::new(proc.path());
        for _ in 0..2 {
            assert_eq!(reader.read().map(|vmstat| vmstat.acquired), Some(2));
        }
        assert_eq!(std::fs::read_to_string(refresh).unwrap(), "1");
    }

    #[test]
    fn a_kernel_without_the_counters_has_no_vmstat() {
        assert_eq!(parse("nr_free_pages 1\n"), None);
        assert_eq!(parse("nr_foll_pin_acquired x\nnr_foll_pin_released 1\n"), None);
    }
}
