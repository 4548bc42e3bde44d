//! Drops the capabilities that only attaching hooks needs, and restricts what the process can do from then on.

use anyhow::Context as _;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

use crate::sandbox::{self, Restrictions, Work, Writes};
use pintrace_kernel::environment::CAPABILITIES;

/// Keeps the capabilities that reading maps needs, drops all other capabilities permanently, and restricts the files and
/// system calls of the process ([`sandbox`]). The caller has to be the only thread of the process: each thread has its own
/// capabilities and restrictions, and a later thread inherits those of the caller.
pub(super) fn give_up(uses: Uses<'_>) -> anyhow::Result<Restrictions> {
    drop_capabilities(uses).context("cannot give up privileges after attaching")?;
    if uses.no_sandbox {
        return Ok(sandbox::off());
    }
    Ok(sandbox::enter(Work::Session {
        writes: uses.writes,
        processes: uses.processes,
    }))
}

/// Keeps only CAP_SYS_ADMIN, for the process that enables the kernel's BPF statistics, and restricts the process to that.
pub(super) fn keep_statistics(no_sandbox: bool) -> anyhow::Result<()> {
    let have = capabilities(None)
        .context("cannot read the privileges")?
        .permitted;
    keep(have & CapabilitySet::SYS_ADMIN).context("cannot give up privileges")?;
    if !no_sandbox {
        sandbox::enter(Work::Statistics);
    }
    Ok(())
}

/// The work of the session after all hooks are attached.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Uses<'a> {
    /// The session passes signals on to a command that may run as another user, which needs CAP_KILL.
    pub(super) command: bool,
    /// The session scans memory. Reading the frame numbers in page tables needs CAP_SYS_ADMIN. Processes of other users
    /// need CAP_SYS_PTRACE, and their files in /proc CAP_DAC_READ_SEARCH.
    pub(super) processes: bool,
    /// The files that the session writes.
    pub(super) writes: Writes<'a>,
    /// The user wants no sandbox (`--no-sandbox`).
    pub(super) no_sandbox: bool,
}

fn drop_capabilities(uses: Uses<'_>) -> std::io::Result<()> {
    let have = capabilities(None)?.permitted;
    keep(have & kept(have, uses))
}

fn keep(kept: CapabilitySet) -> std::io::Result<()> {
    set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    Ok(set_no_new_privs(true)?)
}

fn kept(have: CapabilitySet, uses: Uses<'_>) -> CapabilitySet {
    let lasting = CAPABILITIES
        .iter()
        .filter(|capability| !capability.at_start_only)
        .map(|capability| CapabilitySet::from_bits_retain(1 << capability.number));
    let mut kept = lasting.fold(CapabilitySet::empty(), |all, one| all | one);
    if !have.contains(CapabilitySet::BPF) {
        // Without CAP_BPF, the programs were loaded by CAP_SYS_ADMIN, which includes it.
        kept |= CapabilitySet::SYS_ADMIN;
    }
    if uses.command {
        kept |= CapabilitySet::KILL;
    }
    if uses.processes {
        kept |= CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_capabilities_that_reading_maps_and_signals_need_are_kept() {
        let all = CapabilitySet::from_bits_retain(u64::MAX);
        let neither = Uses::default();
        let command = Uses {
            command: true,
            ..neither
        };
        assert_eq!(kept(all, neither), CapabilitySet::BPF);
        assert_eq!(kept(all, command) - kept(all, neither), CapabilitySet::KILL);
        let without_cap_bpf = CapabilitySet::SYS_ADMIN;
        assert!((without_cap_bpf & kept(without_cap_bpf, neither)).contains(CapabilitySet::SYS_ADMIN));
    }
}
