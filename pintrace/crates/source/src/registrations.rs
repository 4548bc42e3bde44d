//! The BPF map of failed registrations, read from user space and typed.

use aya::Ebpf;
use aya::maps::{HashMap, MapData, MapError};
use pintrace_common::limits;
use pintrace_common::registrations::{FailedRegistration, FailureKey};

use super::ledger::{LedgerError, take};
use pintrace_bpf::pod;

pod! {
    PodKey(FailureKey);
    PodFailed(FailedRegistration);
}

/// The registrations that failed.
pub struct FailedRegistrations(HashMap<MapData, PodKey, PodFailed>);

impl FailedRegistrations {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LedgerError> {
        Ok(Self(take(ebpf, "FAILED_REGISTRATIONS")?.try_into()?))
    }

    /// Returns all entries.
    pub fn all(&self) -> Result<Vec<(FailureKey, FailedRegistration)>, LedgerError> {
        let mut all = Vec::new();
        for entry in self.0.iter().take(2 * limits::FAILED_REGISTRATIONS as usize) {
            match entry {
                Ok((key, failed)) => all.push((key.0, failed.0)),
                Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(all)
    }

    /// Removes an entry.
    pub fn forget(&mut self, key: FailureKey) -> Result<(), LedgerError> {
        match self.0.remove(&PodKey(key)) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
