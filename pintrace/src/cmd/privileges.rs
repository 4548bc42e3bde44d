//! Giving up what is only needed to attach.

use anyhow::Context as _;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

use crate::attach::environment::CAPABILITIES;

/// Keeps what reading the tables needs, and gives up the rest, for good. To be called while the process
/// has one thread: capabilities are each thread's own, and those to come inherit what is left.
///
/// `command` says that a command runs, perhaps as another user, to which signals are passed on.
pub(super) fn give_up(command: bool) -> anyhow::Result<()> {
    drop_capabilities(command).context("cannot give up privileges after attaching")
}

fn drop_capabilities(command: bool) -> std::io::Result<()> {
    let have = capabilities(None)?.permitted;
    let kept = have & kept(have, command);
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

fn kept(have: CapabilitySet, command: bool) -> CapabilitySet {
    let lasting = CAPABILITIES
        .iter()
        .filter(|capability| !capability.at_start_only)
        .map(|capability| CapabilitySet::from_bits_retain(1 << capability.number));
    let mut kept = lasting.fold(CapabilitySet::empty(), |all, one| all | one);
    if !have.contains(CapabilitySet::BPF) {
        // Who has no CAP_BPF and came so far has what stands for it.
        kept |= CapabilitySet::SYS_ADMIN;
    }
    if command {
        kept |= CapabilitySet::KILL;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_stay_readable_and_nothing_else_is_kept() {
        let all = CapabilitySet::from_bits_retain(u64::MAX);
        assert_eq!(kept(all, false), CapabilitySet::BPF);
        assert_eq!(kept(all, true) - kept(all, false), CapabilitySet::KILL);
        let older = CapabilitySet::SYS_ADMIN;
        assert!((older & kept(older, false)).contains(CapabilitySet::SYS_ADMIN));
    }
}
