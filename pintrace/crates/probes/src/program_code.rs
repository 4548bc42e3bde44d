//! The addresses of the machine code of the attached programs, by the kernel function that a program is attached to.

use std::ops::Range;
use std::os::fd::AsFd as _;

use aya::Ebpf;
use pintrace_bpf::prog_info;

use super::outcome::HookOutcome;
use super::table::Method;

/// The machine code of a part of a program. Trampolines run the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCode {
    /// Addresses of the code.
    pub addresses: Range<u64>,
    /// The kernel function that the program is attached to.
    pub function: &'static str,
}

/// Returns the code of the programs that run or will run in a trampoline, by address. Programs whose code the kernel does
/// not show are left out: without CAP_SYSLOG, or with kptr_restrict, the kernel shows no addresses
/// (`bpf_dump_raw_ok`, include/linux/filter.h).
pub fn of_loaded(ebpf: &Ebpf, outcomes: &[HookOutcome]) -> Vec<ProgramCode> {
    let mut all = Vec::new();
    for outcome in outcomes {
        let Some(candidate) = outcome.candidate() else {
            continue;
        };
        let trampolines = candidate
            .attachments
            .iter()
            .filter(|attachment| matches!(attachment.method, Method::Fentry | Method::Fexit));
        let names = trampolines.flat_map(|attachment| {
            std::iter::once(attachment.program).chain(attachment.backups.iter().copied())
        });
        for name in names {
            // A backup program that is not loaded has no descriptor.
            let Some(fd) = ebpf.program(name).and_then(|program| program.fd().ok()) else {
                continue;
            };
            let code = prog_info::code(fd.as_fd()).unwrap_or_default();
            all.extend(code.into_iter().map(|addresses| ProgramCode {
                addresses,
                function: outcome.hook.function,
            }));
        }
    }
    all.sort_by_key(|code| code.addresses.start);
    all
}
