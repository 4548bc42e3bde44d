//! Sentences about pin calls, the same in every view.

use pintrace_events::Registration;
use pintrace_events::units::Nanos;
use pintrace_text::counted;

use crate::snapshot::Snapshot;
use crate::text;

use super::{InFlight, PinCallRow, errno};

/// Returns the time that a registration took.
#[must_use]
pub fn took(registration: &Registration) -> Nanos {
    super::totals::took(registration)
}

/// Returns the bytes that a registration pinned in a second; `None` if it took no time that is known.
#[must_use]
pub fn bytes_per_second(registration: &Registration) -> Option<u64> {
    per_second(registration.pinned, took(registration))
}

/// Returns the bytes a second for pages that were pinned in a time; `None` for no time.
pub(super) fn per_second(pages: u64, time: Nanos) -> Option<u64> {
    let bytes = u128::from(pages) * 4096 * 1_000_000_000;
    let rate = bytes.checked_div(u128::from(time.0))?;
    Some(u64::try_from(rate).unwrap_or(u64::MAX))
}

/// Returns a sentence about a call in flight.
#[must_use]
pub fn in_flight(call: &InFlight, now: Nanos) -> String {
    let age = text::span(now.since(call.registration_began()));
    let wanted = bytes(call.registration_wanted());
    let so_far = match call.bytes_per_second() {
        Some(speed) => format!(
            "; {} are pinned, {}/s",
            bytes(call.registration_pinned()),
            text::bytes(speed)
        ),
        None => String::new(),
    };
    let on = call
        .descriptor
        .map(|descriptor| format!(" on descriptor {descriptor}"))
        .unwrap_or_default();
    format!(
        "{} has been pinning {wanted} through {}{on} for {age}{so_far}.",
        process(&call.comm, call.pid.0),
        call.subsystem
    )
}

/// Returns a sentence about the slowest registration of a row; `None` without a registration.
#[must_use]
pub fn slowest(row: &PinCallRow) -> Option<String> {
    let slowest = &row.totals.slowest;
    if slowest.calls == 0 {
        return None;
    }
    let speed = bytes_per_second(slowest)
        .map(|speed| format!(", {}/s", text::bytes(speed)))
        .unwrap_or_default();
    let short = if slowest.pinned < slowest.wanted {
        format!(" of {}", bytes(slowest.wanted))
    } else {
        String::new()
    };
    let refused = match row.refused {
        0 => String::new(),
        count => format!(" The kernel refused {}.", counted(count, "registration")),
    };
    Some(format!(
        "{} pinned {}{short} through {} in {} by {}{speed}.{refused}",
        process(&row.comm, row.pid.0),
        bytes(slowest.pinned),
        row.subsystem,
        text::span(took(slowest)),
        counted(slowest.calls, "call")
    ))
}

/// Returns a sentence about the failed calls of a row; `None` if no call failed.
#[must_use]
pub fn failures(row: &PinCallRow) -> Option<String> {
    if row.totals.failures.is_empty() {
        return None;
    }
    let failures = row.totals.failures.iter().map(|(number, count)| match number {
        0 => format!("{} pinned fewer pages than asked for", counted(*count, "call")),
        _ => format!("{} failed with {}", counted(*count, "call"), errno::name(*number)),
    });
    Some(format!(
        "{} through {}: {}.",
        process(&row.comm, row.pid.0),
        row.subsystem,
        failures.collect::<Vec<_>>().join(", ")
    ))
}

/// Returns the note for an empty view.
#[must_use]
pub fn none(snapshot: &Snapshot) -> &'static str {
    if snapshot.started.mode == "scan" {
        "Pin calls are not seen: memory is scanned and nothing is traced."
    } else {
        "No process has made a long-term pin call since the start, and no pin call has failed."
    }
}

fn process(comm: &str, pid: u32) -> String {
    format!("{} ({pid})", text::printable(comm))
}

fn bytes(pages: u64) -> String {
    text::bytes(pages.saturating_mul(4096))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pintrace_events::units::Pid;

    use super::*;
    use crate::pin_calls::CallTotals;
    use crate::subsystem::Subsystem;

    const SECOND: u64 = 1_000_000_000;

    fn row(slowest: Registration) -> PinCallRow {
        PinCallRow {
            pid: Pid(42),
            comm: "qemu\n".to_owned(),
            subsystem: Subsystem::Vfio,
            totals: CallTotals {
                slowest,
                failures: BTreeMap::from([(0, 1), (12, 3)]),
                ..CallTotals::default()
            },
            ..PinCallRow::default()
        }
    }

    #[test]
    fn a_registration_has_size_time_and_speed() {
        let whole = Registration {
            began: Nanos(SECOND),
            ended: Nanos(5 * SECOND),
            calls: 512,
            wanted: 1 << 18,
            pinned: 1 << 18,
        };
        assert_eq!(
            slowest(&row(whole)).unwrap(),
            "qemu\\n (42) pinned 1 GiB through vfio in 4.0s by 512 calls, 256 MiB/s."
        );
        let part = Registration {
            pinned: 256,
            ended: whole.began,
            calls: 1,
            ..whole
        };
        assert_eq!(
            slowest(&row(part)).unwrap(),
            "qemu\\n (42) pinned 1 MiB of 1 GiB through vfio in 0ns by 1 call."
        );
    }

    #[test]
    fn failures_are_named() {
        assert_eq!(
            failures(&row(Registration::default())).unwrap(),
            "qemu\\n (42) through vfio: 1 call pinned fewer pages than asked for, 3 calls failed with ENOMEM."
        );
    }

    #[test]
    fn a_call_in_flight_has_the_figures_of_its_registration() {
        let mut call = InFlight {
            pid: Pid(42),
            comm: "qemu".to_owned(),
            subsystem: Subsystem::Vfio,
            descriptor: Some(7),
            began: Nanos(3 * SECOND),
            wanted: 1 << 18,
            pinned: Some(1 << 16),
            sampled: Nanos(5 * SECOND),
            ..InFlight::default()
        };
        assert_eq!(
            in_flight(&call, Nanos(5 * SECOND)),
            "qemu (42) has been pinning 1 GiB through vfio on descriptor 7 for 2.0s; 256 MiB are pinned, 128 MiB/s."
        );
        call.before = Some(Registration {
            began: Nanos(SECOND),
            ended: Nanos(3 * SECOND),
            calls: 9,
            wanted: 1 << 18,
            pinned: 1 << 18,
        });
        call.pinned = None;
        assert_eq!(
            in_flight(&call, Nanos(5 * SECOND)),
            "qemu (42) has been pinning 2 GiB through vfio on descriptor 7 for 4.0s."
        );
    }
}
