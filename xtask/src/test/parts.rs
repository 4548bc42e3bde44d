//! The parts of the guest tests, by module. Not every test can give a new result on every kernel.

use clap::ValueEnum;

use crate::vm::kernel_target::KernelTarget;
use crate::vm::series::Flavour;

/// Counts of pins and attached hooks: the minimum for every kernel.
const CORE: &[&str] = &["counts_fio", "counts_pinload", "robust_doctor", "test_pins"];
/// Other tests that depend on the functions of a kernel.
const KERNEL: &[&str] = &[
    "doctor_facts",
    "finding_hooks",
    "holders",
    "one_folio",
    "descriptors",
    "refused",
    "scan",
    "scan_explain",
    "not_in_vmstat",
];
/// Figures under load, with many owners, and of each kind of pin call: as long as all tests of the kernel.
const SUMS: &[&str] = &["balance", "delayed_reads", "pid_namespace", "pin_calls"];
/// All scenarios of findings, which take as long as half of the other tests.
const FINDINGS: &[&str] = &["findings"];
/// Tests that depend on the eBPF object for the kernel, and on whether the kernel preempts threads.
const PROGRAMS: &[&str] = &[
    "attribution",
    "reconcile",
    "robust_loss",
    "second_tracer",
    "soak",
    "compare_bpftrace",
];
/// Tests that depend only on pintrace: its start, output and exit.
const TOOL: &[&str] = &[
    "book_commands",
    "budget",
    "check",
    "doctor_text",
    "hostile",
    "own_cost",
    "pin_storm",
    "robust_endings",
    "robust_full_disk",
    "robust_panic",
    "robust_privileges",
    "robust_record",
    "robust_sandbox",
    "robust_serve",
    "scan_implausible",
    "top_views",
];
/// Tests that need a device behind an IOMMU, a software RDMA device, or memory on a second node, as in guests of the full
/// flavours.
const DEVICE: &[&str] = &["rdma", "scan_far", "vfio"];

/// Tests that need systemd as PID 1 (`cargo xtask test --systemd`); ignored in all other guests.
pub(super) const SYSTEMD: &[&str] = &["book_install", "systemd_unit"];

/// A part of the guest tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestPart {
    /// Counts of each kind of pin, and the attached hooks
    Core,
    /// Other tests that depend on the functions of a kernel
    Kernel,
    /// Figures under load, with many owners, and of each kind of pin call
    Sums,
    /// All scenarios of findings
    Findings,
    /// Tests that depend on the eBPF programs, which differ on old kernels and on kernels that preempt
    Programs,
    /// Tests that depend only on pintrace
    Tool,
}

impl TestPart {
    /// All parts.
    pub(crate) const EVERYTHING: &[Self] = &[
        Self::Core,
        Self::Kernel,
        Self::Sums,
        Self::Findings,
        Self::Programs,
        Self::Tool,
    ];

    /// Returns the parts to run for a change: every part on at least one kernel, and on each kernel the parts that
    /// depend on the kernel.
    pub(crate) fn of_change(target: KernelTarget) -> &'static [Self] {
        match target.to_string().as_str() {
            // The tests of each part run on the kernels on which they take the least time, so that the guests end at about
            // the same time. `cargo xtask findings` plays the scenarios on 6.1 too, and `--kernels 6.1` runs all parts.
            "6.1" => &[Self::Core, Self::Kernel, Self::Tool],
            "6.12" => &[Self::Core, Self::Kernel, Self::Sums, Self::Findings],
            "5.10" => &[Self::Core, Self::Kernel, Self::Findings, Self::Programs],
            // On the newest kernels the verifier takes four times as long, so each session starts late in a guest. The
            // scenarios take as long as all other tests; `--kernels newest` plays them.
            _ => &[Self::Core, Self::Kernel, Self::Programs],
        }
    }

    /// Returns the name, as the option `--part` takes it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Kernel => "kernel",
            Self::Sums => "sums",
            Self::Findings => "findings",
            Self::Programs => "programs",
            Self::Tool => "tool",
        }
    }

    /// Returns about the minutes that the part takes in one of three guests on two cores.
    pub(super) const fn minutes(self) -> u32 {
        match self {
            Self::Core => 3,
            Self::Findings | Self::Programs => 4,
            Self::Kernel | Self::Sums => 5,
            Self::Tool => 16,
        }
    }

    const fn modules(self) -> &'static [&'static str] {
        match self {
            Self::Core => CORE,
            Self::Kernel => KERNEL,
            Self::Sums => SUMS,
            Self::Findings => FINDINGS,
            Self::Programs => PROGRAMS,
            Self::Tool => TOOL,
        }
    }
}

/// Returns the filters for the test program, which runs the tests whose name contains a filter.
pub(crate) fn filters(parts: &[TestPart], target: KernelTarget) -> Vec<String> {
    let mut modules: Vec<_> = parts.iter().flat_map(|part| part.modules()).collect();
    if target.flavour == Flavour::Full && parts.contains(&TestPart::Core) {
        modules.extend(DEVICE);
    }
    modules.into_iter().map(|module| format!("{module}::")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    /// Modules that the tests share and that contain no tests.
    const SHARED: &[&str] = &[
        "bpftrace",
        "device_pins",
        "follow",
        "harness",
        "hugetlb",
        "main",
        "on_terminal",
        "recording",
        "robust_kit",
        "tick_sums",
    ];

    #[test]
    fn every_guest_test_is_in_one_part() {
        let folder = workspace::root().join("pintrace/tests/guest");
        let files = std::fs::read_dir(folder).unwrap().map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            name.trim_end_matches(".rs").to_owned()
        });
        let mut there: Vec<_> = files.filter(|name| !SHARED.contains(&name.as_str())).collect();
        let mut listed = [CORE, KERNEL, SUMS, FINDINGS, PROGRAMS, TOOL, DEVICE, SYSTEMD].concat();
        there.sort_unstable();
        listed.sort_unstable();
        assert_eq!(there, listed);
    }

    #[test]
    fn every_part_is_run_for_a_change() {
        let kernels = ["5.10", "6.1", "6.12", "newest"];
        for part in TestPart::EVERYTHING {
            let on = |kernel: &&str| TestPart::of_change(kernel.parse().unwrap()).contains(part);
            assert!(kernels.iter().any(on), "{part:?}");
        }
        assert!(kernels.iter().all(|kernel| {
            TestPart::of_change(kernel.parse().unwrap()).starts_with(&[TestPart::Core, TestPart::Kernel])
        }));
    }
}
