//! Giving up what is only needed to attach.

use anyhow::Context as _;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

use pintrace_kernel::environment::CAPABILITIES;

/// Keeps what reading the tables needs, and gives up the rest, for good. To be called while the process
/// has one thread: capabilities are each thread's own, and those to come inherit what is left.
///
pub(super) fn give_up(use_of: Uses) -> anyhow::Result<()> {
    drop_capabilities(use_of).context("cannot give up privileges after attaching")
}

/// What privileges go on being needed for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Uses {
    /// A command runs, perhaps as another user, to which signals are passed on.
    pub(super) command: bool,
    /// Memory is looked at again and again: frame numbers (CAP_SYS_ADMIN) of other users' processes
    /// (CAP_SYS_PTRACE, and CAP_DAC_READ_SEARCH for the files).
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
        // Who has no CAP_BPF and came so far has what stands for it.
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
