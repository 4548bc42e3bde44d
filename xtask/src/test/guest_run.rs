//! What one guest runs: a kernel, and which tests.
//!
//! A kernel whose tests are of several parts gets several guests, so that no guest is left alone at the end.

use std::fmt;

use super::parts::{self, TestPart};
use crate::vm::kernel_target::KernelTarget;

/// The tests of one guest.
#[derive(Debug)]
pub(crate) struct GuestRun {
    /// The kernel.
    pub(crate) kernel: KernelTarget,
    /// The last part, which names the run, if the kernel has several guests.
    part: Option<TestPart>,
    /// Arguments for the test program, which runs the tests whose name contains one of them.
    pub(crate) filters: Vec<String>,
    /// About the minutes that the run takes with two others.
    pub(crate) minutes: u32,
}

impl GuestRun {
    /// Runs with these arguments.
    pub(super) fn with_arguments(kernel: KernelTarget, arguments: &[String]) -> Self {
        Self {
            kernel,
            part: None,
            filters: arguments.to_vec(),
            minutes: 0,
        }
    }

    /// Runs the tests of these parts. The parts for every kernel share a guest, and each other part has its own.
    pub(super) fn of_parts(kernel: KernelTarget, parts: &[TestPart]) -> Vec<Self> {
        let (every, others): (Vec<TestPart>, Vec<TestPart>) = parts
            .iter()
            .partition(|part| matches!(part, TestPart::Core | TestPart::Kernel));
        let mut guests: Vec<_> = others.into_iter().map(|part| vec![part]).collect();
        if !every.is_empty() {
            guests.insert(0, every);
        }
        let several = guests.len() > 1;
        let run = |parts: Vec<TestPart>| Self {
            kernel,
            part: parts.last().copied().filter(|_| several),
            filters: parts::filters(&parts, kernel),
            minutes: parts.iter().map(|part| part.minutes()).sum(),
        };
        guests.into_iter().map(run).collect()
    }
}

/// The kernel, and the part of its tests.
impl fmt::Display for GuestRun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.kernel)?;
        match self.part {
            Some(part) => write!(formatter, " {}", part.name()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_of_a_kernel_runs_in_one_of_its_guests() {
        let kernel: KernelTarget = "6.12".parse().unwrap();
        let runs = GuestRun::of_parts(kernel, TestPart::EVERYTHING);
        let names: Vec<_> = runs.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "6.12 kernel",
                "6.12 sums",
                "6.12 findings",
                "6.12 programs",
                "6.12 tool"
            ]
        );
        let mut apart: Vec<_> = runs.into_iter().flat_map(|run| run.filters).collect();
        let mut together = parts::filters(TestPart::EVERYTHING, kernel);
        apart.sort();
        together.sort();
        assert_eq!(apart, together);
    }

    #[test]
    fn a_kernel_with_one_guest_is_named_alone() {
        let kernel: KernelTarget = "6.1-full".parse().unwrap();
        let [run] = <[GuestRun; 1]>::try_from(GuestRun::of_parts(kernel, &[TestPart::Core])).unwrap();
        assert_eq!(run.to_string(), "6.1-full");
        assert!(run.filters.contains(&"vfio::".to_owned()));
    }
}
