//! Copies of pages with a `FOLL_GET` reference and without a pin.

use pintrace_events::{CowSampled, FollGetReference};

use crate::assessment;
use crate::evidence::{PinState, TriggerState};
use crate::finding::FindingKind;
use crate::finding_table::{FindingState, FindingTable};
use crate::limits;
use crate::pins::PinHolder;

use super::cow::key;
use super::{Context, Detector, Observation};

/// Finds copied pages that are referenced and not pinned.
pub(super) struct FollGetDetector;

impl Detector for FollGetDetector {
    fn detect(&self, observation: Observation<'_>, context: Context<'_>, findings: &mut FindingTable) {
        let Observation::Cow(cow) = observation else {
            return;
        };
        let Some(reference) = cow.reference else {
            return;
        };
        let finding = FindingState {
            assessment: if reference.read_under_way {
                &assessment::READ_LOST
            } else {
                &assessment::GET_NOT_PIN
            },
            holder: holder(cow, reference, context),
            address: cow.address,
            end: cow.end,
            pages: cow.pages,
            count: cow.copies,
            first: cow.first,
            last: cow.last,
            pin: Some(PinState::of_reference(reference, cow.first)),
            trigger: Some(TriggerState::of_cow(cow)),
        };
        findings.put(key(cow, FindingKind::GetNotPin), finding);
    }
}

/// The process that took the reference.
fn holder(cow: &CowSampled, reference: FollGetReference, context: Context<'_>) -> PinHolder {
    let processes = &context.pins.processes;
    let process = processes.current(reference.pid);
    let seen = process.and_then(|key| processes.by_key.get(&key)?.seen.as_ref());
    let comm = match seen {
        Some(seen) => &seen.comm,
        None if cow.pid == reference.pid => &cow.comm,
        None => "",
    };
    PinHolder {
        pid: reference.pid,
        comm: limits::clip(comm, limits::COMM_CHARS),
    }
}
