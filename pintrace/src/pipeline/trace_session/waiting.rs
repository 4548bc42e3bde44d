//! The event about finding hooks that were attached once memory was pinned.

use pintrace_events::units::Nanos;
use pintrace_events::{Body, Event, FindingHooksAttached};
use pintrace_probes::outcome::HookOutcome;
use pintrace_source::trace_source::Due;

use super::coverage;

/// Returns the event. `events` are those of the records that were read with the first pins; `before` is the time of the
/// reading before, when there were no pins.
pub(super) fn attached(
    due: &Due,
    events: &[Event],
    before: Nanos,
    outcomes: &[HookOutcome],
) -> FindingHooksAttached {
    let opened = events
        .iter()
        .filter(|event| matches!(event.body, Body::AccountOpened(_) | Body::ExtentOpened(_)));
    let mut missing = coverage::missing(outcomes);
    missing.retain(|hook| due.functions.contains(&hook.function.as_str()));
    FindingHooksAttached {
        first_pin: opened.map(|event| event.time).min().unwrap_or(before).max(before),
        others_wait: due.others_wait,
        missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pin_is_the_first_account_opened_since_the_last_reading() {
        let due = Due {
            functions: vec!["do_wp_page"],
            others_wait: true,
        };
        let event = |time, body| Event {
            time: Nanos(time),
            body,
        };
        let first_pin = |events: &[Event]| attached(&due, events, Nanos(100), &[]).first_pin;
        assert_eq!(first_pin(&[]), Nanos(100));
        let events = [
            event(150, Body::Tick),
            event(
                170,
                Body::AccountOpened(pintrace_events::AccountOpened::default()),
            ),
            event(160, Body::ExtentOpened(pintrace_events::ExtentOpened::default())),
        ];
        assert_eq!(first_pin(&events), Nanos(160));
        assert!(attached(&due, &events, Nanos(0), &[]).others_wait);
    }
}
