//! Tests of short-term pins that are held too long.

use pintrace_events::units::Nanos;
use pintrace_events::{BalanceSampled, Body};
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES, SECOND};

use crate::finding::{FindingKind, Severity};
use crate::tests::snapshot;

/// Builds a stream with one tick a second. `seconds` has the pages pinned and released so far at each tick.
fn short_term(seconds: &[(u64, u64)]) -> EventBuilder {
    let mut builder = EventBuilder::begin();
    builder.account(1, 7, 7, IO_PIN_PAGES, false).process(7, "app");
    let mut before = None;
    for totals in seconds {
        if before != Some(totals) {
            builder.totals(1, totals.0, totals.1);
        }
        before = Some(totals);
        builder.tick().wait(SECOND);
    }
    builder
}

#[test]
fn short_term_pins_held_for_ten_seconds_are_a_finding() {
    assert!(snapshot(&short_term(&[(8, 0); 10])).findings.is_empty());
    let snapshot = snapshot(&short_term(&[(8, 0); 12]));
    let [finding] = &snapshot.findings[..] else {
        panic!("{:#?}", snapshot.findings);
    };
    assert_eq!(
        (finding.kind, finding.severity),
        (FindingKind::UndeclaredLongterm, Severity::Hazard)
    );
    assert_eq!(
        (finding.pages, finding.count, finding.comm.as_str()),
        (8, 1, "app")
    );
    assert_eq!(
        (finding.first, finding.last),
        (Nanos(11 * SECOND), Nanos(12 * SECOND))
    );
    let pin = finding.pin.as_ref().unwrap();
    assert_eq!((pin.longterm, pin.age, pin.pages), (false, Nanos(11 * SECOND), 8));
}

#[test]
fn pages_that_may_have_been_released_are_not_held_for_certain() {
    let held = |unclear| {
        let mut builder = EventBuilder::begin();
        builder.account(1, 7, 7, IO_PIN_PAGES, false).process(7, "app");
        builder.unclear_totals(1, 8, unclear);
        for _ in 0..12 {
            builder.tick().wait(SECOND);
        }
        let pages: Vec<_> = snapshot(&builder)
            .findings
            .iter()
            .map(|finding| finding.pages)
            .collect();
        pages
    };
    assert_eq!((held(0), held(3), held(8)), (vec![8], vec![5], vec![]));
}

#[test]
fn releases_count_against_the_oldest_pages() {
    // Eight pages are held at each moment, and no page is held for long.
    let busy: Vec<_> = (0..40).map(|second| (8 + second * 8, second * 8)).collect();
    assert!(snapshot(&short_term(&busy)).findings.is_empty());
    // The first second pins 1000 pages; then each second pins one page and releases one page.
    let leaky: Vec<_> = (0..30).map(|second| (1000 + second, second)).collect();
    let snapshot = snapshot(&short_term(&leaky));
    assert_eq!(snapshot.findings[0].pages, 990);
}

#[test]
fn a_finding_keeps_its_last_figures_after_the_release() {
    let mut totals = vec![(8, 0); 12];
    totals.extend([(8, 8); 20]);
    let snapshot = snapshot(&short_term(&totals));
    assert_eq!(
        (snapshot.findings[0].pages, snapshot.findings[0].last),
        (8, Nanos(12 * SECOND))
    );
}

#[test]
fn long_term_pins_and_scanned_pins_are_no_finding() {
    for (longterm, from_scan) in [(true, false), (false, true)] {
        let mut builder = short_term(&[(8, 0); 20]);
        for event in &mut builder.events {
            if let Body::AccountOpened(opened) = &mut event.body {
                (opened.longterm, opened.from_scan) = (longterm, from_scan);
            }
        }
        assert!(snapshot(&builder).findings.is_empty());
    }
}

#[test]
fn frequent_samples_still_cover_ten_seconds() {
    let mut builder = EventBuilder::begin();
    builder.account(1, 7, 7, IO_PIN_PAGES, false);
    for step in 0..200_u64 {
        builder.totals(1, 1000 + step, step).tick().wait(SECOND / 10);
    }
    let finding = &snapshot(&builder).findings[0];
    assert!(finding.pages > 880, "{}", finding.pages);
}

/// Emits a balance in which the ledger holds `too_many` pages beyond the 8 of vmstat.
fn balance(builder: &mut EventBuilder, too_many: u64) {
    builder.emit(Body::BalanceSampled(Box::new(BalanceSampled {
        vmstat_acquired: Some(8),
        vmstat_released: Some(0),
        ledger_acquired: 8 + too_many,
        ..BalanceSampled::default()
    })));
}

/// The severity of each finding and whether it is certain.
fn found(builder: &EventBuilder) -> Vec<(Severity, bool)> {
    let findings = snapshot(builder).findings;
    let found = findings.iter().map(|finding| (finding.severity, finding.certain));
    found.collect()
}

#[test]
fn lost_releases_make_no_certain_finding_of_short_term_pins() {
    let mut builder = EventBuilder::begin();
    builder.account(1, 7, 7, IO_PIN_PAGES, false).process(7, "app");
    builder.totals(1, 16, 0).loss(&[("recursion_missed", 1)]);
    for _ in 0..14 {
        balance(&mut builder, 8);
        builder.tick().wait(SECOND);
    }
    assert_eq!(found(&builder), [(Severity::Note, false)]);
    // A reconciliation has removed the released pages, and the other pages are still held.
    builder.totals(1, 16, 8);
    balance(&mut builder, 0);
    builder.tick();
    let findings = snapshot(&builder).findings;
    assert_eq!(
        found(&builder),
        [(Severity::Hazard, true), (Severity::Note, false)]
    );
    assert_eq!((findings[0].pages, findings[0].count), (8, 1));
}

#[test]
fn a_loss_that_a_balance_of_zero_follows_changes_no_finding() {
    let mut builder = EventBuilder::begin();
    builder.account(1, 7, 7, IO_PIN_PAGES, false).process(7, "app");
    builder.totals(1, 8, 0).loss(&[("recursion_missed", 1)]);
    for _ in 0..12 {
        balance(&mut builder, 0);
        builder.tick().wait(SECOND);
    }
    assert_eq!(found(&builder), [(Severity::Hazard, true)]);
}
