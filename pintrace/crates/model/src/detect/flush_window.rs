//! Faults and pins in pending-flush windows.

use pintrace_events::WindowsSampled;
use pintrace_events::units::Tid;

use crate::assessment::{self, Assessment};
use crate::evidence::TriggerState;
use crate::finding::TriggerKind;
use crate::finding_table::{FindingKey, FindingState, FindingSubject, FindingTable};
use crate::limits;
use crate::pins::PinHolder;

use super::{Context, Detector, Observation};

/// Finds faults and pins of other threads in pending-flush windows.
pub(super) struct FlushWindowDetector;

impl Detector for FlushWindowDetector {
    fn detect(&self, observation: Observation<'_>, context: Context<'_>, findings: &mut FindingTable) {
        let Observation::Windows(sample) = observation else {
            return;
        };
        let subject = FindingSubject::Windows(sample.first);
        if sample.faults > 0 {
            let finding = Occurrence {
                assessment: &assessment::FAULT_IN_WINDOW,
                pages: sample.faults.min(sample.pages),
                count: sample.faults,
                address: sample.address,
            };
            finding.put(subject, sample, context, findings);
        }
        if sample.pins > 0 {
            let finding = Occurrence {
                assessment: &assessment::PIN_IN_WINDOW,
                pages: sample.pins,
                count: sample.pins,
                // The address of a sample with faults is the address of a fault.
                address: if sample.faults == 0 { sample.address } else { 0 },
            };
            finding.put(subject, sample, context, findings);
        }
    }
}

/// One kind of occurrence in the windows of a sample.
struct Occurrence {
    assessment: &'static Assessment,
    pages: u64,
    count: u64,
    /// Address of one page; 0 if unknown.
    address: u64,
}

impl Occurrence {
    fn put(
        &self,
        subject: FindingSubject,
        sample: &WindowsSampled,
        context: Context<'_>,
        findings: &mut FindingTable,
    ) {
        let trigger = TriggerKind::Protected(sample.cause);
        let key = FindingKey {
            kind: self.assessment.kind,
            trigger: Some(trigger),
            pid: sample.pid,
            subject,
            certain: true,
        };
        let end = match self.address {
            0 => 0,
            address => address.saturating_add(context.stream.page_size()),
        };
        let finding = FindingState {
            assessment: self.assessment,
            holder: PinHolder {
                pid: sample.pid,
                comm: limits::clip(&sample.comm, limits::COMM_CHARS),
            },
            address: self.address,
            end,
            pages: self.pages,
            count: self.count,
            first: sample.first,
            last: sample.last,
            pin: None,
            trigger: Some(TriggerState::new(trigger, sample.pid, Tid(0), &sample.comm, None)),
        };
        findings.put(key, finding);
    }
}
