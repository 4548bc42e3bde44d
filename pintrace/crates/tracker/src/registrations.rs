//! Emits the registrations of memory that failed.

use std::path::PathBuf;

use hashbrown::HashMap;
use pintrace_common::registrations::{FailedRegistration, FailureKey};

use pintrace_events::units::{Nanos, Pid};
use pintrace_events::{Body, RegistrationFailed};
use pintrace_source::ledger::{Ledger, LedgerError};

use super::accounts::comm;
use super::emitter::Emitter;

/// Failed registrations as last emitted.
pub(super) struct Registrations {
    proc: PathBuf,
    emitted: HashMap<FailureKey, FailedRegistration>,
}

impl Registrations {
    pub(super) fn new(proc: PathBuf) -> Self {
        Self {
            proc,
            emitted: HashMap::new(),
        }
    }

    /// Emits the registrations that have failed since the last sample.
    pub(super) fn sample(
        &mut self,
        now: Nanos,
        ledger: &Ledger,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        for (key, failed) in ledger.failed_registrations().all()? {
            // The program counts last.
            if failed.count == 0 {
                continue;
            }
            let before = self.emitted.insert(key, failed);
            if before != Some(failed) {
                out.push(
                    now,
                    Body::RegistrationFailed(Box::new(event(key, &failed, before))),
                );
            }
        }
        Ok(())
    }

    /// Removes the entries of processes that have ended. The caller samples before.
    pub(super) fn close(&mut self, ledger: &mut Ledger) -> Result<(), LedgerError> {
        let ended: Vec<_> = self
            .emitted
            .keys()
            .filter(|key| !self.proc.join(key.tgid.to_string()).exists())
            .copied()
            .collect();
        for key in ended {
            ledger.failed_registrations_mut().forget(key)?;
            self.emitted.remove(&key);
        }
        Ok(())
    }
}

/// Returns the event of an entry; `before` is the entry as last emitted.
fn event(
    key: FailureKey,
    failed: &FailedRegistration,
    before: Option<FailedRegistration>,
) -> RegistrationFailed {
    RegistrationFailed {
        pid: Pid(key.tgid),
        comm: comm(&failed.comm),
        kind: key.kind,
        operation: key.operation,
        errno: key.errno,
        count: failed.count,
        more: Some(
            failed
                .count
                .saturating_sub(before.map_or(0, |before| before.count)),
        ),
        last: Nanos(failed.last_ns),
        wanted: Some(failed.wanted).filter(|wanted| *wanted != 0),
        wants_more: failed.wants_more != 0,
        limit: Some(failed.limit).filter(|limit| *limit != u64::MAX),
        exempt: failed.exempt != 0,
        user_locked: failed.user_locked,
        mm_pinned: failed.mm_pinned,
        mm_locked: failed.mm_locked,
        uid: u32::try_from(failed.uid).unwrap_or(u32::MAX),
        cgroup: failed.cgroup,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_number_since_the_last_event_of_the_same_entry() {
        let failed = |count| FailedRegistration {
            count,
            ..FailedRegistration::default()
        };
        let counts = |count, before| {
            let event = event(FailureKey::default(), &failed(count), before);
            (event.count, event.more)
        };
        assert_eq!(counts(3, None), (3, Some(3)));
        assert_eq!(counts(5, Some(failed(3))), (5, Some(2)));
        // The figures of the last one have changed before its count.
        assert_eq!(counts(5, Some(failed(5))), (5, Some(0)));
    }
}
