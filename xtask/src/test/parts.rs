//! The guest tests in parts, by the module that they are in: not everything says something new on every kernel.

use clap::ValueEnum;

use crate::vm::series::Flavour;
use crate::vm::subject::Subject;

/// What pins are counted, and with which hooks: the least that a kernel has to show.
const CORE: &[&str] = &["counts_fio", "counts_pinload", "robust_doctor"];
/// What else depends on the kernel.
const KERNEL: &[&str] = &[
    "attribution",
    "check",
    "findings",
    "heal",
    "robust_loss",
    "robust_privileges",
    "scan",
    "soak",
    "truth",
    "witness_bpftrace",
];
/// What needs a device behind an IOMMU, or memory on a second node, which the full flavours get.
const DEVICE: &[&str] = &["scan_far", "vfio"];
/// What depends on pintrace alone: how it starts, writes and ends.
const TOOL: &[&str] = &[
    "robust_endings",
    "robust_full_disk",
    "robust_panic",
    "robust_record",
    "robust_serve",
    "scan_doubtful",
];

/// A part of the guest tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What is counted, for each kind of pin, and which hooks are attached.
    Core,
    /// All that depends on the kernel.
    Kernel,
    /// Everything.
    Everything,
}

impl Part {
    /// What the test program is told to run: names of tests that contain one of these.
    pub(crate) fn filters(self, subject: Subject) -> Vec<String> {
        let mut modules = match self {
            Self::Core => CORE.to_vec(),
            Self::Kernel => [CORE, KERNEL].concat(),
            Self::Everything => [CORE, KERNEL, TOOL].concat(),
        };
        if subject.flavour == Flavour::Full {
            modules.extend(DEVICE);
        }
        modules.into_iter().map(|module| format!("{module}::")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    /// What the tests share; no tests in it.
    const KITS: &[&str] = &["bpftrace", "harness", "hugetlb", "main", "robust_kit"];

    #[test]
    fn every_guest_test_is_in_one_part() {
        let folder = workspace::root().join("pintrace/tests/guest");
        let files = std::fs::read_dir(folder).unwrap().map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            name.trim_end_matches(".rs").to_owned()
        });
        let mut there: Vec<_> = files.filter(|name| !KITS.contains(&name.as_str())).collect();
        let mut listed = [CORE, KERNEL, DEVICE, TOOL].concat();
        there.sort_unstable();
        listed.sort_unstable();
        assert_eq!(there, listed);
    }
}
