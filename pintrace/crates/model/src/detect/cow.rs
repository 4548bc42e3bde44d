//! Copies of pinned pages, in and outside pending-flush windows.

use pintrace_events::CowSampled;
use pintrace_events::units::Pid;

use crate::assessment::{self, Assessment};
use crate::evidence::{PinState, TriggerState};
use crate::finding::FindingKind;
use crate::finding_table::{FindingKey, FindingState, FindingSubject, FindingTable};
use crate::limits;
use crate::pins::PinHolder;

use super::{Context, Detector, Observation};

/// Finds pinned pages that were copied. The finding replaces the finding of the previous sample with the same id.
pub(super) struct CowDetector;

impl Detector for CowDetector {
    fn detect(&self, observation: Observation<'_>, context: Context<'_>, findings: &mut FindingTable) {
        let Observation::Cow(cow) = observation else {
            return;
        };
        if cow.reference.is_some() {
            return;
        }
        let kept = context.stream.keeps_exclusive_pages() && cow.anonymous;
        let assessment = assessment::of_copy(kept, cow.unshare);
        let counts = (cow.pages, cow.copies);
        put(
            FindingKind::CowAfterPin,
            assessment,
            counts,
            cow,
            context,
            findings,
        );
        if cow.in_window > 0 {
            let counts = (cow.pages.min(cow.in_window), cow.in_window);
            let assessment = &assessment::COPY_IN_WINDOW;
            put(
                FindingKind::CowInFlushWindow,
                assessment,
                counts,
                cow,
                context,
                findings,
            );
        }
    }
}

fn put(
    kind: FindingKind,
    assessment: &'static Assessment,
    (pages, count): (u64, u64),
    cow: &CowSampled,
    context: Context<'_>,
    findings: &mut FindingTable,
) {
    let key = key(cow, kind);
    let earlier = findings.get(&key);
    // The account may be closed by now. The evidence of the earlier sample stays.
    let finding = FindingState {
        assessment,
        holder: earlier.map_or_else(|| holder(cow, context), |earlier| earlier.holder.clone()),
        address: cow.address,
        end: cow.end,
        pages,
        count,
        first: cow.first,
        last: cow.last,
        pin: earlier
            .and_then(|earlier| earlier.pin.clone())
            .or_else(|| pin(cow, context)),
        trigger: Some(TriggerState::of_cow(cow)),
    };
    findings.put(key, finding);
}

/// The process that holds the pin; if its account is unknown, the process that made the copy.
fn holder(cow: &CowSampled, context: Context<'_>) -> PinHolder {
    match context.pins.accounts.get(cow.account) {
        Some(account) => context.pins.holder(Some(account)),
        None => PinHolder {
            pid: cow.pid,
            comm: limits::clip(&cow.comm, limits::COMM_CHARS),
        },
    }
}

/// The pin as it was at the first copy.
fn pin(cow: &CowSampled, context: Context<'_>) -> Option<PinState> {
    let pins = context.pins;
    let account = pins.accounts.get(cow.account);
    let extent = cow
        .extent
        .and_then(|(address, since)| pins.extents.find(cow.account, address, since));
    match (extent, account) {
        (Some(extent), _) => Some(PinState::of_extent(&extent, account, cow.first)),
        (None, Some(account)) => {
            let since = cow.extent.map_or(account.totals.held_since, |(_, since)| since);
            Some(PinState::of_account(account, cow.first.since(since)))
        }
        (None, None) => None,
    }
}

/// The key of a finding on copies. The pid is left out: a later sample may lack the holder's process that an earlier
/// sample had.
pub(super) fn key(cow: &CowSampled, kind: FindingKind) -> FindingKey {
    FindingKey {
        kind,
        trigger: None,
        pid: Pid(0),
        subject: FindingSubject::Cow(cow.id),
        certain: true,
    }
}
