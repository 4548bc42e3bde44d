//! The guest tests: pintrace's test program `guest`, in the guests of a list.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::results::{ResultTable, TestCounts};
use crate::vm::guest::{Guest, GuestExit};
use crate::vm::kernel_target::KernelTarget;
use crate::vm::series::Flavour;
use crate::vm::{self, GuestFile, GuestOptions, parallel};
use crate::{dist, test_output};

use super::guest_output::GuestOutput;
use super::guest_programs::GuestPrograms;
use super::guest_run::GuestRun;
use super::parts::SYSTEMD;

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
/// The package for Debian in a guest with systemd.
const DEB: &str = "usr/local/share/package.deb";
/// The folder of the packages that `cargo xtask dist` makes, in a guest with systemd.
const DIST: &str = "usr/local/share/dist";
/// Three times the duration on the slowest kernel with two other guests running on two cores.
const LIMIT: Duration = Duration::from_mins(45);

/// Runs the tests of each run in a guest of its own, and adds a row for each.
pub(crate) fn run(mut runs: Vec<GuestRun>, table: &mut ResultTable) {
    let start = Instant::now();
    // Only ignored tests need Prometheus, which is large.
    let ignored = |run: &GuestRun| run.filters.iter().any(|word| word.contains("ignored"));
    let programs = match GuestPrograms::build(runs.iter().any(ignored)) {
        Ok(programs) => programs,
        Err(error) => {
            eprintln!("xtask: the guest tests could not be built: {error:#}");
            table.add("guest tests", TestCounts::FAILED, start.elapsed());
            return;
        }
    };
    // The longest runs start first, so that no long run is left alone at the end.
    runs.sort_by_key(|run| Reverse(run.minutes));
    let runs: Vec<&GuestRun> = runs.iter().collect();
    let rows = parallel::each(&runs, |run| {
        let start = Instant::now();
        let (counts, _) = test(
            &run.to_string(),
            guest(run.kernel, programs.files()),
            &script(&run.filters),
        );
        (counts, start.elapsed())
    });
    for (run, (counts, time)) in rows {
        table.add(&format!("guest {run}"), counts, time);
    }
}

/// Runs the tests of the package and its units on each kernel, with systemd as PID 1.
pub(crate) fn run_systemd(kernels: &[KernelTarget], arguments: &[String], table: &mut ResultTable) {
    let built = GuestPrograms::build(false).and_then(|programs| {
        let mut files = programs.files().to_vec();
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
        Ok((programs, files))
    });
    let (_programs, files) = match built {
        Ok(built) => built,
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
        options.bare = true;
        options.systemd = true;
        "2G".clone_into(&mut options.disk);
        options.timeout = LIMIT;
        let (counts, _) = test(&kernel.to_string(), options.prepare(), &script);
        table.add(&format!("systemd {kernel}"), counts, start.elapsed());
    }
}

/// Runs the tests of one module on each kernel, and returns their output if all pass.
pub(crate) fn printed(kernels: &[KernelTarget], module: &str) -> Result<Vec<(KernelTarget, Result<String>)>> {
    let programs = GuestPrograms::build(false)?;
    let script = script(&[module.to_owned()]);
    let outputs = parallel::each(kernels, |kernel| {
        match test(&kernel.to_string(), guest(kernel, programs.files()), &script) {
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

/// Runs a script and returns its results and its output, whose lines are printed after `name`.
fn test(name: &str, guest: Result<Guest>, script: &str) -> (TestCounts, String) {
    let mut output = GuestOutput::new(name);
    let outcome = guest.and_then(|guest| guest.run(script, &mut output));
    let code = match &outcome {
        Ok(outcome) => {
            if !matches!(outcome, GuestExit::Exited(_)) {
                eprintln!("xtask: guest {name}:");
            }
            vm::explain(outcome)
        }
        Err(error) => {
            eprintln!("xtask: guest {name}: {error:#}");
            1
        }
    };
    println!("{name}: {}", output.times());
    let text = output.into_text();
    (test_output::count(&text, code == 0), text)
}

fn guest(kernel: KernelTarget, files: &[GuestFile]) -> Result<Guest> {
    let mut options = GuestOptions::new(kernel.kernel);
    options.flavour = kernel.flavour;
    options.bare = true;
    options.add.extend(files.iter().cloned());
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
