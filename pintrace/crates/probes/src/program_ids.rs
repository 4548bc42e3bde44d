//! The kernel's ids of the programs that hooks run or will run, backup programs included, with their purposes.

use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::Ebpf;
use pintrace_bpf::prog_info;

use super::outcome::{self, HookOutcome};
use super::table::Purpose;

/// Returns the id and the purpose of each program that is attached or waits. A program that the kernel does not describe
/// is left out.
pub fn of_loaded(ebpf: &Ebpf, outcomes: &[HookOutcome]) -> Vec<(u32, Purpose)> {
    let attachments = outcome::loaded(outcomes);
    let names = attachments.flat_map(|(hook, attachment)| {
        let purpose = outcome::purpose_of(hook, attachment);
        let names = std::iter::once(attachment.program).chain(attachment.backups.iter().copied());
        names.map(move |name| (name, purpose))
    });
    names
        .filter_map(|(name, purpose)| {
            // A backup program that is not loaded has no descriptor.
            let descriptor = ebpf.program(name)?.fd().ok()?.as_fd().as_raw_fd();
            Some((prog_info::runs(descriptor).ok()?.id, purpose))
        })
        .collect()
}
