//! Every view at every size, and what a view says of its rows.

use super::*;

#[test]
fn every_view_of_a_busy_host_fits_every_size() {
    assert_views("busy", &fixture::full());
}

#[test]
fn every_view_says_why_it_is_empty() {
    assert_views("empty", &fixture::empty());
}

#[test]
fn every_view_of_ten_thousand_processes_fits_every_size() {
    assert_views("many", &fixture::many(10_000));
}

#[test]
fn every_view_says_what_a_scan_does_not_know() {
    assert_views("scan", &fixture::scanned());
}

#[test]
fn every_view_shows_losses() {
    assert_views("lossy", &fixture::lossy());
}

#[test]
fn unaccounted_and_the_first_loss_are_always_shown() {
    let mut snapshot = fixture::lossy();
    snapshot.loss.iter_mut().for_each(|(_, count)| *count = u64::MAX);
    let text = text(snapshot, SMALL, "");
    assert!(text.contains("! unaccounted -17"), "{text}");
    assert!(text.contains("! loss ring_full"), "{text}");
    assert!(text.contains("more (?)"), "{text}");
}

#[test]
fn a_process_without_a_name_is_no_alarm() {
    let with = |losses: &[&str]| {
        let mut snapshot = fixture::busy();
        for (name, count) in &mut snapshot.loss {
            *count = if losses.contains(name) { 7 } else { 0 };
        }
        text(snapshot, CLASSIC, "")
    };
    let unnamed = with(&["name_unread"]);
    assert!(
        unnamed.contains("loss 0") && unnamed.contains("name_unread 7"),
        "{unnamed}"
    );
    assert!(
        !unnamed.contains("! name_unread") && !unnamed.contains("! loss"),
        "{unnamed}"
    );
    let lost = with(&["name_unread", "ring_full"]);
    assert!(
        lost.contains("! loss ring_full 7") && !lost.contains("! name_unread"),
        "{lost}"
    );
}

#[test]
fn unreadable_vmstat_counters_are_not_zero() {
    let mut snapshot = fixture::busy();
    snapshot.balance.vmstat_readable = false;
    let text = text(snapshot, CLASSIC, "");
    assert!(text.contains("! unaccounted unknown"), "{text}");
}

#[test]
fn an_open_row_shows_all_that_is_known_of_it() {
    for (name, keys) in [
        ("open-process", "⏎"),
        ("open-cgroup", "2j⏎"),
        ("open-holder", "3⏎"),
        ("open-pin", "4⏎"),
        ("open-call-site", "5⏎"),
        ("open-finding", "6⏎"),
        ("open-flush-window", "7⏎"),
        ("open-pin-call", "8⏎"),
    ] {
        assert_sizes(name, &fixture::full(), keys);
    }
    assert_screen("open-ended-80x24", &screen(fixture::busy(), CLASSIC, "j⏎", true));
}

#[test]
fn cgroups_are_folded_and_zoomed() {
    let all = text(fixture::full(), CLASSIC, "2");
    assert!(
        all.contains("guest-seven") && all.contains("- machine.slice"),
        "{all}"
    );
    let folded = text(fixture::full(), CLASSIC, "2j←");
    assert!(
        !folded.contains("guest-seven") && folded.contains("+ machine.slice"),
        "{folded}"
    );
    assert_eq!(
        text(fixture::full(), CLASSIC, "2j←→"),
        text(fixture::full(), CLASSIC, "2j")
    );
    let zoomed = text(fixture::full(), CLASSIC, "2jx");
    assert!(
        !zoomed.contains("system.slice") && zoomed.contains("guest-seven"),
        "{zoomed}"
    );
    assert_eq!(
        text(fixture::full(), CLASSIC, "2jx⎋"),
        text(fixture::full(), CLASSIC, "2j")
    );
}

#[test]
fn ended_processes_are_one_line_until_they_are_opened() {
    let folded = text(fixture::busy(), CLASSIC, "");
    assert!(!folded.contains(" dd"), "{folded}");
    assert!(
        folded.contains("† 1 ended process, acquired 77 pages; e shows them"),
        "{folded}"
    );
    let opened = text(fixture::busy(), CLASSIC, "e");
    assert!(
        opened.contains(" dd") && opened.contains("e hides them"),
        "{opened}"
    );
}

#[test]
fn without_findings_the_screen_names_the_kinds_that_are_not_covered() {
    let text = |purposes: &[&str], why: &str, keys: &str| {
        let mut started = fixture::watched(purposes);
        started.without_findings = why.to_owned();
        let snapshot = Snapshot {
            started: Arc::new(started),
            ..fixture::busy()
        };
        rows(&screen(snapshot, CLASSIC, keys, true))
    };
    let all = ["copy", "fork", "mapping", "window"];
    let has = |rows: &[String], line: &str| assert!(rows.iter().any(|row| row == line), "{rows:#?}");
    has(&text(&all, "", "f"), "  No findings.");
    has(
        &text(&[], "--no-findings", "f"),
        "  No findings. Switched off by --no-findings: all kinds except",
    );
    has(
        &text(&all[..3], "", "f"),
        "  No findings. Not covered by the attached hooks: pin-in-flush-window,",
    );
    has(
        &text(&all, "", "7"),
        "  No write protection has waited for its TLB flush.",
    );
    let none = text(&[], "--no-findings", "7").join("\n");
    assert!(none.contains("flush. Switched off by"), "{none}");
}
