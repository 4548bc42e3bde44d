//! Reads from /proc what pintrace's own process takes, and what its figures are compared with.

use std::path::Path;

/// Returns the resident memory of this process in bytes (`VmRSS` in /proc/self/status). `None` if it cannot be read.
pub fn resident_bytes(proc: &Path) -> Option<u64> {
    resident(&std::fs::read_to_string(proc.join("self/status")).ok()?)
}

/// Returns the number of CPUs that are online (/proc/stat); 0 if it cannot be read.
pub fn online_cpus(proc: &Path) -> u32 {
    std::fs::read_to_string(proc.join("stat")).map_or(0, |stat| cpus(&stat))
}

/// Returns true if the administrator has enabled the kernel's BPF statistics (`kernel.bpf_stats_enabled`). The sysctl
/// does not show statistics that a process has enabled by `BPF_ENABLE_STATS`.
pub fn has_bpf_statistics(proc: &Path) -> bool {
    std::fs::read_to_string(proc.join("sys/kernel/bpf_stats_enabled")).is_ok_and(|value| value.trim() == "1")
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let mut words = line.split_ascii_whitespace();
    let kib: u64 = words.next()?.parse().ok()?;
    // The kernel knows no other unit (`SEQ_PUT_DEC`, fs/proc/task_mmu.c).
    (words.next() == Some("kB")).then_some(())?;
    kib.checked_mul(1024)
}

fn cpus(stat: &str) -> u32 {
    let lines = stat.lines().take_while(|line| line.starts_with("cpu"));
    // The first line has the sum of all CPUs.
    let of_one = lines.filter(|line| line[3..].starts_with(|first: char| first.is_ascii_digit()));
    u32::try_from(of_one.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_in_bytes() {
        let status = "Name:\tVmRSS: 1 kB\nVmHWM:\t   9000 kB\nVmRSS:\t    8708 kB\nRssAnon:\t 4 kB\n";
        assert_eq!(resident(status), Some(8708 * 1024));
    }

    #[test]
    fn a_status_without_a_sane_figure_has_no_resident_memory() {
        // A kernel thread has no memory.
        for status in [
            "",
            "Name:\tkthreadd\n",
            "VmRSS:\n",
            "VmRSS:\t-5 kB\n",
            "VmRSS:\t5 MB\n",
            "VmRSS:\t5\n",
            "VmRSS:\t18446744073709551615 kB\n",
            "VmRSS:\t99999999999999999999 kB\n",
        ] {
            assert_eq!(resident(status), None, "{status:?}");
        }
    }

    #[test]
    fn cpus_are_counted_without_the_sum() {
        let stat = "cpu  1 2 3\ncpu0 1 2 3\ncpu3 0 0 0\nintr 5 0\ncpu9 0\n";
        assert_eq!(cpus(stat), 2);
        for hostile in ["", "cpu", "cpu\ncpu", "intr", "cpux 1\ncpu\u{e9}"] {
            assert_eq!(cpus(hostile), 0, "{hostile:?}");
        }
    }

    #[test]
    fn the_figures_of_this_machine_can_be_read() {
        let proc = Path::new("/proc");
        assert!(resident_bytes(proc).is_some_and(|bytes| bytes > 100 << 10));
        assert!(online_cpus(proc) >= 1);
        let nowhere = Path::new("/nowhere");
        assert_eq!((resident_bytes(nowhere), online_cpus(nowhere)), (None, 0));
        assert!(!has_bpf_statistics(nowhere));
    }

    #[test]
    fn only_1_enables_the_statistics() {
        let proc = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(proc.path().join("sys/kernel")).unwrap();
        for (value, enabled) in [("1\n", true), ("0\n", false), ("", false), ("10\n", false)] {
            std::fs::write(proc.path().join("sys/kernel/bpf_stats_enabled"), value).unwrap();
            assert_eq!(has_bpf_statistics(proc.path()), enabled, "{value:?}");
        }
    }
}
