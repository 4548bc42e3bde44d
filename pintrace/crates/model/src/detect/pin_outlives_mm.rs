//! Pins that stay after their mm has exited.

use pintrace_events::units::Nanos;

use crate::assessment;
use crate::evidence::PinState;
use crate::finding::FindingKind;
use crate::finding_table::{FindingKey, FindingState, FindingSubject, FindingTable};
use crate::pins::ExtentState;

use super::{Context, Detector, Observation};

/// A pin may outlive its mm by this much: io_uring frees registered buffers in a worker after its process has ended
/// (`io_ring_exit_work`).
pub(crate) const OUTLIVED_AFTER: Nanos = Nanos(1_000_000_000);

/// Finds the extents whose mm exited [`OUTLIVED_AFTER`] ago or earlier.
pub(super) struct PinOutlivesMmDetector;

impl Detector for PinOutlivesMmDetector {
    fn detect(&self, observation: Observation<'_>, context: Context<'_>, findings: &mut FindingTable) {
        match observation {
            Observation::Tick(extents) => {
                for extent in extents {
                    outlives(extent, context, findings);
                }
            }
            Observation::ExtentClosed(extent) if extent.mm_exited.is_some() => {
                findings.lasted(&key(extent, context), context.now);
            }
            _ => {}
        }
    }
}

fn outlives(extent: &ExtentState, context: Context<'_>, findings: &mut FindingTable) {
    let Some(exited) = extent.mm_exited else { return };
    let account = context.pins.accounts.get(extent.opened.account);
    let fresh = FindingState {
        assessment: &assessment::OUTLIVES,
        holder: context.pins.holder(account),
        address: extent.opened.address,
        end: extent.opened.end,
        pages: extent.pages_held,
        count: 1,
        first: exited,
        last: context.now,
        pin: Some(PinState::of_extent(extent, account, context.now)),
        trigger: None,
    };
    findings.put_or_repeat(key(extent, context), fresh, 1, |range| {
        context.stream.pages_of(range)
    });
}

fn key(extent: &ExtentState, context: Context<'_>) -> FindingKey {
    let account = context.pins.accounts.get(extent.opened.account);
    FindingKey {
        kind: FindingKind::PinOutlivesMm,
        trigger: None,
        pid: context.pins.holder(account).pid,
        subject: FindingSubject::Account(extent.opened.account),
        certain: true,
    }
}
