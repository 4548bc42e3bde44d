//! Pins that stay after their mm has exited.

use pintrace_events::units::Nanos;

use crate::assessment;
use crate::evidence::PinState;
use crate::finding::FindingKind;
use crate::finding_table::{FindingKey, FindingState, FindingSubject, FindingTable};
use crate::pins::{ExtentState, Pins};

use super::{Context, Detector, Observation};

/// A pin may outlive its mm by this much after the process has closed its files: io_uring frees registered buffers in a
/// worker (`io_ring_exit_work`).
const OUTLIVED_AFTER: Nanos = Nanos(1_000_000_000);
/// Longest time between the exit of an mm and the exit of its process. The kernel tears the mm down in between, and
/// closes the files of the process after its exit (`exit_mm`, `exit_files`, kernel/exit.c).
const TEARDOWN: Nanos = Nanos(60_000_000_000);

/// Takes the extents that outlive their mm, each once: [`OUTLIVED_AFTER`] after the process could last close the file
/// that holds the pins. While the ledger is uncertain, each extent is taken once for an uncertain finding, and again when
/// the ledger is certain.
pub(crate) fn take_outliving(pins: &mut Pins, now: Nanos, ledger_uncertain: bool) -> Vec<ExtentState> {
    let mut due = pins.extents.take_outliving(now, OUTLIVED_AFTER);
    due.retain(|extent| {
        let Some(from) = outlives_from(extent, pins, now) else {
            return true;
        };
        let waits = now.since(from) < OUTLIVED_AFTER;
        if waits || ledger_uncertain {
            pins.extents.outlives_from(extent.opened.extent, from);
        }
        !waits && (!ledger_uncertain || pins.extents.may_outlive(extent.opened.extent))
    });
    due
}

/// Returns the time from which on an extent outlives its mm. A running process that has not executed a new program is
/// still tearing down the mm.
fn outlives_from(extent: &ExtentState, pins: &Pins, now: Nanos) -> Option<Nanos> {
    let exited = extent.mm_exited.get()?;
    let process = pins.process_of(extent.opened.account);
    let ended = process.and_then(|process| Some(process.ended.as_ref()?.time));
    let running = process.is_some() && ended.is_none() && execed_since(extent, pins).is_none();
    let ended = if running && now.since(exited) < TEARDOWN {
        Some(now)
    } else {
        ended
    };
    [Some(exited), ended, extent.file_released.get()]
        .into_iter()
        .flatten()
        .max()
}

/// Returns the time at which the process of an extent executed a new program after the pin.
fn execed_since(extent: &ExtentState, pins: &Pins) -> Option<Nanos> {
    let process = pins.process_of(extent.opened.account)?;
    process.execed.filter(|execed| *execed >= extent.since)
}

/// Finds the extents that outlive their mm.
pub(super) struct PinOutlivesMmDetector;

impl Detector for PinOutlivesMmDetector {
    fn detect(&self, observation: Observation<'_>, context: Context<'_>, findings: &mut FindingTable) {
        match observation {
            Observation::Tick(extents) => {
                for extent in extents {
                    outlives(extent, context, findings);
                }
            }
            Observation::ExtentClosed(extent) if extent.mm_exited.get().is_some() => {
                for certain in [true, false] {
                    findings.lasted(&key(extent, context, certain), context.now);
                }
            }
            _ => {}
        }
    }
}

fn outlives(extent: &ExtentState, context: Context<'_>, findings: &mut FindingTable) {
    let Some(exited) = extent.mm_exited.get() else {
        return;
    };
    let account = context.pins.accounts.get(extent.opened.account);
    let kept = execed_since(extent, context.pins).is_some();
    let fresh = FindingState {
        assessment: if context.ledger_uncertain {
            &assessment::MAY_OUTLIVE
        } else if kept {
            &assessment::KEPT_ACROSS_EXEC
        } else {
            &assessment::OUTLIVES
        },
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
    let key = key(extent, context, !context.ledger_uncertain);
    findings.put_or_repeat(key, fresh, 1, |range| context.stream.pages_of(range));
}

fn key(extent: &ExtentState, context: Context<'_>, certain: bool) -> FindingKey {
    let account = context.pins.accounts.get(extent.opened.account);
    FindingKey {
        kind: FindingKind::PinOutlivesMm,
        trigger: None,
        pid: context.pins.holder(account).pid,
        subject: FindingSubject::Account(extent.opened.account),
        certain,
    }
}
