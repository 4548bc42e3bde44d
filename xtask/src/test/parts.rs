//! The guest tests in parts, by the module that they are in: not everything says something new on every kernel.

use clap::ValueEnum;

use crate::vm::series::Flavour;
use crate::vm::subject::Subject;

/// What pins are counted, and with which hooks: the least that a kernel has to show.
const CORE: &[&str] = &["counts_fio", "counts_pinload", "robust_doctor"];
/// What else depends on the functions that a kernel has.
const KERNEL: &[&str] = &["doctor_facts", "findings", "scan", "balance", "not_in_vmstat"];
/// What depends on which of the two eBPF objects a kernel gets, and on whether its threads can be taken off their CPU.
const PROGRAMS: &[&str] = &[
    "attribution",
    "reconcile",
    "robust_loss",
    "robust_privileges",
    "soak",
    "compare_bpftrace",
];
/// What depends on pintrace alone: how it starts, writes and ends.
const TOOL: &[&str] = &[
    "check",
    "doctor_text",
    "robust_endings",
    "robust_full_disk",
    "robust_panic",
    "robust_record",
    "robust_serve",
    "scan_implausible",
];
/// What needs a device behind an IOMMU, or memory on a second node, which the full flavours get.
const DEVICE: &[&str] = &["scan_far", "vfio"];

/// A part of the guest tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What is counted, for each kind of pin, and which hooks are attached.
    Core,
    /// What else depends on the functions that a kernel has.
    Kernel,
    /// What depends on the eBPF programs, of which old kernels and kernels that preempt get others.
    Programs,
    /// What depends on pintrace alone.
    Tool,
}

impl Part {
    /// All of them.
    pub(crate) const EVERYTHING: &[Self] = &[Self::Core, Self::Kernel, Self::Programs, Self::Tool];

    /// What a change is tested with: everything on some kernel, and on each what depends on it.
    pub(crate) fn of_change(subject: Subject) -> &'static [Self] {
        match subject.to_string().as_str() {
            "6.1" => &[Self::Core, Self::Kernel],
            // Where pintrace starts soonest of those that get the programs of today.
            "6.12" => &[Self::Core, Self::Kernel, Self::Tool],
            _ => &[Self::Core, Self::Kernel, Self::Programs],
        }
    }

    const fn modules(self) -> &'static [&'static str] {
        match self {
            Self::Core => CORE,
            Self::Kernel => KERNEL,
            Self::Programs => PROGRAMS,
            Self::Tool => TOOL,
        }
    }
}

/// What the test program is told to run: names of tests that contain one of these.
pub(crate) fn filters(parts: &[Part], subject: Subject) -> Vec<String> {
    let mut modules: Vec<_> = parts.iter().flat_map(|part| part.modules()).collect();
    if subject.flavour == Flavour::Full {
        modules.extend(DEVICE);
    }
    modules.into_iter().map(|module| format!("{module}::")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    /// What the tests share; no tests in it.
    const KITS: &[&str] = &[
        "bpftrace",
        "follow",
        "harness",
        "hugetlb",
        "main",
        "recording",
        "robust_kit",
    ];

    #[test]
    fn every_guest_test_is_in_one_part() {
        let folder = workspace::root().join("pintrace/tests/guest");
        let files = std::fs::read_dir(folder).unwrap().map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            name.trim_end_matches(".rs").to_owned()
        });
        let mut there: Vec<_> = files.filter(|name| !KITS.contains(&name.as_str())).collect();
        let mut listed = [CORE, KERNEL, PROGRAMS, TOOL, DEVICE].concat();
        there.sort_unstable();
        listed.sort_unstable();
        assert_eq!(there, listed);
    }

    #[test]
    fn every_part_is_run_for_a_change() {
        let kernels = ["5.10", "6.1", "6.12", "newest"];
        for part in Part::EVERYTHING {
            let on = |kernel: &&str| Part::of_change(kernel.parse().unwrap()).contains(part);
            assert!(kernels.iter().any(on), "{part:?}");
        }
        assert!(kernels.iter().all(|kernel| {
            Part::of_change(kernel.parse().unwrap()).starts_with(&[Part::Core, Part::Kernel])
        }));
    }
}
