//! The guest tests: pintrace's test program `guest` in one guest for each kernel.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::results::{ResultTable, TestCounts};
use crate::vm::guest::{Guest, GuestExit};
use crate::vm::kernel_target::KernelTarget;
use crate::vm::series::Flavour;
use crate::vm::{self, GuestFile, GuestOptions, parallel};
use crate::{dist, test_output, workspace};

use super::parts::SYSTEMD;
use super::promtool;
use super::test_times::TestTimes;

/// Packages that the tests use in addition to pintrace and pinload. On 5.10, bpftrace takes types that BTF lacks from
/// the headers of `linux-libc-dev`. `util-linux` has setpriv.
const PACKAGES: [&str; 7] = [
    "fio",
    "bpftrace",
    "dosfstools",
    "jq",
    "linux-libc-dev",
    "numactl",
    "util-linux",
];
/// Modules for a small disk that fills up, for a file system with legacy direct I/O, for a disk with delayed
/// completions, and for a disk that the test serves.
const MODULES: [&str; 6] = ["nbd", "loop", "vfat", "nls_cp437", "nls_ascii", "null_blk"];
/// The folder of README.md and the book, whose commands a test runs.
const BOOK: &str = "usr/local/share/book";
/// The package for Debian in a guest with systemd.
const DEB: &str = "usr/local/share/package.deb";
/// The folder of the packages that `cargo xtask dist` makes, in a guest with systemd.
const DIST: &str = "usr/local/share/dist";
/// Three times the duration on the slowest kernel with two other guests running on two cores.
const LIMIT: Duration = Duration::from_mins(45);

/// Runs the tests on each kernel and adds a row for each.
///
/// `filters` returns the tests to run on a kernel.
pub(crate) fn run(
    kernels: &[KernelTarget],
    filters: impl Fn(KernelTarget) -> Vec<String> + Sync,
    table: &mut ResultTable,
) {
    let start = Instant::now();
    // Only ignored tests need Prometheus, which is large.
    let ignored = |kernel: &KernelTarget| filters(*kernel).iter().any(|word| word.contains("ignored"));
    let program = match build(kernels.iter().any(ignored)) {
        Ok(program) => program,
        Err(error) => {
            eprintln!("xtask: the guest tests could not be built: {error:#}");
            table.add("guest tests", TestCounts::FAILED, start.elapsed());
            return;
        }
    };
    let script = |kernel: KernelTarget| script(&filters(kernel));
    // The longest runs start first, so that no long run is left alone at the end.
    let mut kernels = kernels.to_vec();
    kernels.sort_by_key(|kernel| Reverse(filters(*kernel).len()));
    let rows = parallel::each(&kernels, |kernel| {
        let start = Instant::now();
        let (counts, _) = test(kernel, guest(kernel, &program), &script(kernel));
        (counts, start.elapsed())
    });
    for (kernel, (counts, time)) in rows {
        table.add(&format!("guest {kernel}"), counts, time);
    }
}

/// Runs the tests of the package and its units on each kernel, with systemd as PID 1.
pub(crate) fn run_systemd(kernels: &[KernelTarget], arguments: &[String], table: &mut ResultTable) {
    let built = build(false).and_then(|mut files| {
        let packages = dist::deb_and_tarball()?;
        let [deb, ..] = &packages;
        files.push(GuestFile::new(deb.clone(), DEB));
        files.extend(packages.into_iter().map(|file| {
            let name = file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            GuestFile::new(file, &format!("{DIST}/{name}"))
        }));
        Ok(files)
    });
    let files = match built {
        Ok(files) => files,
        Err(error) => {
            eprintln!("xtask: the guest tests could not be built: {error:#}");
            return table.add("guest tests", TestCounts::FAILED, Duration::ZERO);
        }
    };
    let mut filters = vec!["--ignored".to_owned()];
    filters.extend(SYSTEMD.iter().map(|module| format!("{module}::")));
    filters.extend(arguments.iter().cloned());
    let script = script(&filters);
    for &kernel in kernels {
        let start = Instant::now();
        let mut options = GuestOptions::new(kernel.kernel);
        options.flavour = kernel.flavour;
        options.add.clone_from(&files);
        options.systemd = true;
        "2G".clone_into(&mut options.disk);
        options.timeout = LIMIT;
        let (counts, _) = test(kernel, options.prepare(), &script);
        table.add(&format!("systemd {kernel}"), counts, start.elapsed());
    }
}

/// Runs the tests of one module on each kernel, and returns their output if all pass.
pub(crate) fn printed(kernels: &[KernelTarget], module: &str) -> Result<Vec<(KernelTarget, Result<String>)>> {
    let program = build(false)?;
    let script = script(&[module.to_owned()]);
    let outputs = parallel::each(kernels, |kernel| {
        match test(kernel, guest(kernel, &program), &script) {
            (counts, text) if counts.failed == 0 && counts.passed != 0 => Ok(text),
            _ => bail!("not all tests pass"),
        }
    });
    Ok(outputs)
}

fn script(filters: &[String]) -> String {
    let words: Vec<_> = filters.iter().map(|word| vm::quoted(word)).collect();
    format!("guest --test-threads=1 --show-output {}\n", words.join(" "))
}

/// Returns the test program and the other files that each guest needs, with Prometheus if a test runs it.
fn build(with_prometheus: bool) -> Result<Vec<GuestFile>> {
    let static_pintrace = [
        "--release",
        "--target",
        workspace::GUEST_TARGET,
        "--package",
        "pintrace",
    ];
    let build = |name: &str, words: &[&str]| -> Result<GuestFile> {
        let program = workspace::build(name, &[words, &static_pintrace].concat())?;
        Ok(GuestFile::new(program, &format!("usr/local/bin/{name}")))
    };
    let mut files = vec![
        build("guest", &["test", "--no-run", "--test", "guest"])?,
        build("panicking_top", &["build", "--example", "panicking_top"])?,
        GuestFile::new(promtool::obtain()?, "usr/local/bin/promtool"),
        GuestFile::new(workspace::root().join("README.md"), &format!("{BOOK}/README.md")),
        GuestFile::new(workspace::root().join("docs"), &format!("{BOOK}/docs")),
    ];
    if with_prometheus {
        files.push(GuestFile::new(
            promtool::prometheus()?,
            "usr/local/bin/prometheus",
        ));
    }
    Ok(files)
}

/// Runs a script and returns its results and its output.
fn test(kernel: KernelTarget, guest: Result<Guest>, script: &str) -> (TestCounts, String) {
    let mut output = GuestOutput::new(kernel);
    let outcome = guest.and_then(|guest| guest.run(script, &mut output));
    let code = match &outcome {
        Ok(outcome) => {
            if !matches!(outcome, GuestExit::Exited(_)) {
                eprintln!("xtask: guest {kernel}:");
            }
            vm::explain(outcome)
        }
        Err(error) => {
            eprintln!("xtask: guest {kernel}: {error:#}");
            1
        }
    };
    println!("{kernel}: {}", output.times);
    let counts = test_output::count(&output.text, code == 0);
    (counts, output.text)
}

fn guest(kernel: KernelTarget, program: &[GuestFile]) -> Result<Guest> {
    let mut options = GuestOptions::new(kernel.kernel);
    options.flavour = kernel.flavour;
    options.add.extend(program.iter().cloned());
    options.package.extend(PACKAGES.map(str::to_owned));
    options.timeout = LIMIT;
    if kernel.flavour == Flavour::Full {
        // Software RDMA, and idle devices for VFIO behind an IOMMU. VFIO assigns a device to one process at a time.
        for device in ["intel-iommu,intremap=on", "edu", "edu", "edu"] {
            options.qemu_arg.extend(["-device", device].map(str::to_owned));
        }
        options.qemu_arg.extend(far_memory(&options.mem));
        // hugetlb pages with folded struct pages, and persistent memory, which a scan does not read.
        let append = ["intel_iommu=on", "hugetlb_free_vmemmap=on", "memmap=16M!1G"];
        options.append.extend(append.map(str::to_owned));
        options
            .modules
            .extend(["vfio-pci", "vfio_iommu_type1", "ib_uverbs", "rdma_rxe"].map(str::to_owned));
    }
    let mut guest = options.prepare()?;
    // Superseded kernels have no modules, and the tests that need modules are skipped.
    if guest.kernel.modules().is_some() {
        guest.modules.extend(MODULES.map(str::to_owned));
    }
    Ok(guest)
}

/// A second NUMA node with memory at the physical address 192 GiB.
fn far_memory(near: &str) -> impl Iterator<Item = String> + use<> {
    let slots = format!("{near},slots=1,maxmem=256G");
    let near = format!("memory-backend-ram,id=near,size={near}");
    let words = [
        "-m",
        &slots,
        "-object",
        &near,
        "-object",
        "memory-backend-ram,id=far,size=256M",
        "-numa",
        "node,nodeid=0,memdev=near",
        "-numa",
        "node,nodeid=1",
        "-device",
        "pc-dimm,id=dimm,memdev=far,node=1,addr=0x3000000000",
    ];
    words.map(str::to_owned).into_iter()
}

/// The output of a guest; each line is printed with the kernel's name and the seconds since the start.
struct GuestOutput {
    kernel: KernelTarget,
    start: Instant,
    times: TestTimes,
    text: String,
    shown: usize,
}

impl GuestOutput {
    fn new(kernel: KernelTarget) -> Self {
        let start = Instant::now();
        Self {
            kernel,
            start,
            times: TestTimes::new(start),
            text: String::new(),
            shown: 0,
        }
    }
}

impl Write for GuestOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.push_str(&String::from_utf8_lossy(bytes));
        while let Some(length) = self.text[self.shown..].find('\n') {
            let line = &self.text[self.shown..self.shown + length];
            let now = Instant::now();
            self.times.line(line, now);
            let seconds = now.duration_since(self.start).as_secs();
            println!("{:>9} {seconds:>4} | {line}", self.kernel);
            self.shown += length + 1;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_lines_are_shown() {
        let mut lines = GuestOutput::new("newest".parse().unwrap());
        lines.write_all(b"one\ntw").unwrap();
        assert_eq!(lines.shown, 4);
        lines.write_all(b"o\n").unwrap();
        assert_eq!((lines.shown, lines.text.as_str()), (8, "one\ntwo\n"));
    }
}
