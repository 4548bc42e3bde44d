//! Tests of the screen about pin calls.

use pintrace_model::Model;
use pintrace_model::snapshot::Snapshot;
use pintrace_testing::event_builder::pin_call_fixtures;

use super::fixture;
use super::screen_tests::{CLASSIC, SMALL, assert_screen, rows, screen};

const WIDE: (u16, u16) = (120, 40);

fn calls() -> Snapshot {
    let mut model = Model::default();
    for event in &pin_call_fixtures().events {
        model.apply(event);
    }
    model.snapshot()
}

#[test]
fn calls_in_flight_are_above_the_table_of_all_calls() {
    for size in [SMALL, CLASSIC, WIDE] {
        let (width, height) = size;
        let buffer = screen(calls(), size, "P", true);
        assert_screen(&format!("pin-calls-{width}x{height}"), &buffer);
    }
}

#[test]
fn without_calls_the_screen_says_so() {
    let text = rows(&screen(fixture::empty(), CLASSIC, "P", true)).join("\n");
    assert!(
        text.contains("No process has made a long-term pin call since the start"),
        "{text}"
    );
}

#[test]
fn the_header_of_every_screen_shows_a_registration_in_flight() {
    let text = rows(&screen(calls(), CLASSIC, "", true)).join("\n");
    assert!(text.contains("pinning for 3.0s (P)"), "{text}");
}

#[test]
fn the_pin_calls_cover_other_screens_and_are_left_by_their_key_or_escape() {
    let text = |keys: &str| rows(&screen(calls(), CLASSIC, keys, true)).join("\n");
    assert_eq!(text("P⎋"), text(""));
    assert_eq!(text("PP"), text(""));
    assert_eq!(text("fP⎋"), text("f"));
    assert_eq!(text("Pf"), text("f"));
    assert_eq!(text("uP"), text("P"));
    assert_eq!(text("Pu⎋"), text(""));
    assert_eq!(text("?P"), text("P"));
    assert_ne!(text("P"), text(""));
}

#[test]
fn a_filter_chooses_the_calls() {
    let text = rows(&screen(calls(), WIDE, "P/database⏎", true)).join("\n");
    assert!(
        text.contains("database") && !text.contains("rdma-server (100) pinned") && !text.contains("qemu"),
        "{text}"
    );
    let none = rows(&screen(calls(), WIDE, "P/nobody⏎", true)).join("\n");
    assert!(none.contains("No pin call matches “nobody”"), "{none}");
}

#[test]
fn each_list_of_pin_calls_says_which_field_its_rows_lack() {
    let text = |query: &str| rows(&screen(calls(), WIDE, &format!("P/{query}⏎"), true)).join("\n");
    let lacks = |text: &str, noun: &str| text.contains(&format!("{noun} have no field `"));
    let by_calls = text("pin_calls > 0");
    assert!(
        !lacks(&by_calls, "Pin calls") && lacks(&by_calls, "Calls in flight"),
        "{by_calls}"
    );
    let by_age = text("call_age > 0s");
    assert!(
        lacks(&by_age, "Pin calls") && !lacks(&by_age, "Calls in flight"),
        "{by_age}"
    );
    assert!(by_age.contains("Pin calls in flight"), "{by_age}");
}

#[test]
fn the_screen_can_be_drawn_at_every_size() {
    for width in (40..130).step_by(7) {
        screen(calls(), (width, 10), "PG", true);
    }
}
