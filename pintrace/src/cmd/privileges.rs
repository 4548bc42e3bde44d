//! Drops the capabilities that are needed only for attaching hooks.

use anyhow::Context as _;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

use pintrace_kernel::environment::CAPABILITIES;

/// Keeps the capabilities that reading maps needs, and drops the others for good. The caller has to be the only thread
/// of the process: each thread has its own capabilities, and later threads inherit those that are left.
pub(super) fn give_up(use_of: Uses) -> anyhow::Result<()> {
    drop_capabilities(use_of).context("cannot give up privileges after attaching")
}

/// What the session does after all hooks are attached.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Uses {
    /// A command runs, perhaps as another user, and signals are passed on to it.
    pub(super) command: bool,
    /// Memory is scanned: reading the frame numbers in page tables needs CAP_SYS_ADMIN, and for processes of other users
    /// CAP_SYS_PTRACE, and CAP_DAC_READ_SEARCH for their files in /proc.
    pub(super) processes: bool,
}

fn drop_capabilities(uses: Uses) -> std::io::Result<()> {
    let have = capabilities(None)?.permitted;
    let kept = have & kept(have, uses);
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

fn kept(have: CapabilitySet, uses: Uses) -> CapabilitySet {
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
    fn maps_stay_readable_and_nothing_else_is_kept() {
        let all = CapabilitySet::from_bits_retain(u64::MAX);
        let nothing = Uses::default();
        let command = Uses {
            command: true,
            ..nothing
        };
        assert_eq!(kept(all, nothing), CapabilitySet::BPF);
        assert_eq!(kept(all, command) - kept(all, nothing), CapabilitySet::KILL);
        let older = CapabilitySet::SYS_ADMIN;
        assert!((older & kept(older, nothing)).contains(CapabilitySet::SYS_ADMIN));
    }
}
