//! The readers of /proc, over files with any content: names and command lines come from any user.

#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pintrace_kernel::vmstat::VmstatReader;
use pintrace_kernel::{iomem, own_process, pagemap, pid_namespace, preemption, process, vma};
use tempfile::TempDir;

/// A folder in memory that takes the place of /proc.
static PROC: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    fs::create_dir_all(folder.path().join("7")).unwrap();
    fs::create_dir_all(folder.path().join("self")).unwrap();
    fs::create_dir_all(folder.path().join("sched")).unwrap();
    folder
});

/// The files, each with the readers that read it.
const FILES: [&str; 11] = [
    "7/status",
    "7/comm",
    "7/cmdline",
    "7/cgroup",
    "7/maps",
    "7/pagemap",
    "self/status",
    "stat",
    "iomem",
    "vmstat",
    "sched/preempt",
];

fuzz_target!(|parts: Vec<(u8, &[u8])>| {
    let proc = PROC.path();
    for (file, bytes) in parts {
        let name = FILES[usize::from(file) % FILES.len()];
        fs::write(proc.join(name), bytes).unwrap();
    }
    read(proc);
});

fn read(proc: &Path) {
    let process = process::read(proc, 7);
    assert!(process.is_none_or(|process| process.cmdline.len() <= 3 * 1024));
    let folder = process::folder(proc, 7);
    std::hint::black_box(vma::find(&folder, 0x1000).is_ok());
    std::hint::black_box(pagemap::walk(&folder, &mut |_, _| ()).is_ok());
    std::hint::black_box(pagemap::frame(&folder, 0x1000));
    std::hint::black_box(own_process::resident_bytes(proc));
    std::hint::black_box(own_process::online_cpus(proc));
    std::hint::black_box(pid_namespace::own_pid(proc));
    std::hint::black_box(iomem::not_scanned(proc));
    for range in iomem::ranges(proc).into_iter().flatten() {
        assert!(range.start < range.end, "{range:?}");
    }
    std::hint::black_box(VmstatReader::new(proc).read());
    std::hint::black_box(preemption::possible(proc, ""));
}
