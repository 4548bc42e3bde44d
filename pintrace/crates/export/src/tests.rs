//! The text and JSON of synthetic streams, most of them as snapshots. `INSTA_UPDATE=always cargo test -p
//! pintrace-export` rewrites the snapshots.

use insta::assert_snapshot;

use pintrace_events::units::{AccountId, ExtentId, Nanos};
use pintrace_events::{Body, ExtentOpened, FileId, MissingHook};
use pintrace_model::Model;
use pintrace_model::field::process::{COLUMNS, column};
use pintrace_model::snapshot::Snapshot;
use pintrace_testing::event_builder::{
    EventBuilder, SECOND, finding_fixtures, fio_and_others, pin_call_fixtures,
};

use super::{json, report, table};

fn snapshot(builder: &EventBuilder) -> Snapshot {
    let mut model = Model::default();
    for event in &builder.events {
        model.apply(event);
    }
    model.snapshot()
}

/// Processes with names of every width, one name with an escape sequence.
fn crowd() -> EventBuilder {
    let mut builder = fio_and_others();
    for (index, comm) in ["漢字の名前", "a\x1b[31mred", "kworker/u8:3-events_unbound"]
        .iter()
        .enumerate()
    {
        let id = 100 + u32::try_from(index).unwrap();
        builder.account(id, id, id, 7, index == 0).process(id, comm);
        builder.totals(id, 1_234_567 << (index * 4), 1_234_000);
    }
    builder.wait(SECOND * 3_700).tick();
    builder
}

#[test]
fn top_prints_a_table() {
    assert_snapshot!(
        "table",
        &table::render(&snapshot(&fio_and_others()), table::TableOptions::default()),
    );
}

#[test]
fn a_wide_terminal_shows_all_columns() {
    let options = table::TableOptions {
        width: 160,
        sort: column("comm"),
        reverse: true,
    };
    assert_snapshot!("table_wide", &table::render(&snapshot(&crowd()), options));
}

#[test]
fn a_table_without_pins_says_that_no_process_has_pinned_memory() {
    assert_snapshot!(
        "table_empty",
        &table::render(&snapshot(&EventBuilder::begin()), table::TableOptions::default()),
    );
}

#[test]
fn a_table_of_chosen_processes_says_how_many_match() {
    let mut some = snapshot(&fio_and_others());
    let of = some.processes.len();
    some.select("comm = fio", |process| process.comm == "fio");
    let text = table::render(&some, table::TableOptions::default());
    assert!(
        text.contains(&format!("\n1 of {of} processes matches “comm = fio”. ")),
        "{text}"
    );
    assert!(text.contains("PID"), "{text}");
    some.select("pid = 0", |_| false);
    let text = table::render(&some, table::TableOptions::default());
    assert!(
        text.contains("\n0 of 1 process match “pid = 0”. ") && !text.contains("PID"),
        "{text}"
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let snapshot = snapshot(&crowd());
    for width in 60..200 {
        let options = table::TableOptions {
            width,
            sort: None,
            reverse: false,
        };
        for line in table::render(&snapshot, options).lines() {
            assert!(pintrace_text::width(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn a_table_of_eighty_columns_shows_the_main_columns() {
    let text = table::render(&snapshot(&fio_and_others()), table::TableOptions::default());
    for id in [
        "pid",
        "pages_held",
        "bytes_held",
        "longterm_share",
        "acquired_per_second",
        "released_per_second",
        "oldest",
        "subsystem",
        "comm",
    ] {
        let title = COLUMNS.iter().find(|column| column.id == id).unwrap().title;
        assert!(text.contains(title), "{title}");
    }
}

#[test]
fn missing_hooks_are_named_in_every_format() {
    let mut builder = fio_and_others();
    if let Some(Body::Started(started)) = builder.events.first_mut().map(|event| &mut event.body) {
        started.missing.push(MissingHook {
            function: "unpin_user_page".into(),
            why: "refused".into(),
            lost: "releases page by page".into(),
        });
    }
    let snapshot = snapshot(&builder);
    assert!(
        table::render(&snapshot, table::TableOptions::default())
            .contains("\nmissing hooks: 1. See pintrace doctor for the events that are not seen\n")
    );
    let report = report::render(&snapshot, true, 100);
    assert!(
        report.contains("Not seen: releases page by page (unpin_user_page could not be hooked: refused)"),
        "{report}"
    );
    let json = json::render(&snapshot, true).unwrap();
    assert!(
        json.contains(r#""missing":[{"function":"unpin_user_page""#),
        "{json}"
    );
}

#[test]
fn the_report_of_a_complete_recording() {
    assert_snapshot!("report", &report::render(&snapshot(&fio_and_others()), true, 100),);
}

#[test]
fn the_report_of_a_recording_cut_short_with_loss() {
    let mut builder = crowd();
    builder
        .loss(&[("ring_full", 12), ("stack_lost", 3)])
        .exit(100, 15, 0);
    builder
        .events
        .retain(|event| !matches!(event.body, pintrace_events::Body::Stopped(_)));
    assert_snapshot!("report_cut", &report::render(&snapshot(&builder), false, 100));
}

#[test]
fn the_report_describes_each_finding() {
    assert_snapshot!(
        "report_findings",
        &report::render(&snapshot(&finding_fixtures()), true, 100),
    );
}

#[test]
fn the_report_shows_pin_calls_in_flight_slow_and_failed() {
    assert_snapshot!(
        "report_pin_calls",
        &report::render(&snapshot(&pin_call_fixtures()), true, 120),
    );
}

#[test]
fn the_json_has_the_descriptor_of_an_extent() {
    let mut events = EventBuilder::begin();
    events.account(1, 7, 7, 0, true);
    for (extent, descriptor) in [(1, Some(5)), (2, None)] {
        events.emit(Body::ExtentOpened(ExtentOpened {
            extent: ExtentId(extent),
            account: AccountId(1),
            address: u64::from(extent) << 12,
            pages: 1,
            file: FileId(40),
            descriptor,
            ..ExtentOpened::default()
        }));
    }
    let text = json::render(&snapshot(&events), true).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let extents = value["processes"][0]["extents_held"].as_array().unwrap();
    let descriptors: Vec<_> = extents.iter().map(|extent| &extent["descriptor"]).collect();
    assert_eq!(descriptors, [&5.into(), &serde_json::Value::Null]);
}

#[test]
fn the_json_lists_pin_calls() {
    let text = json::render(&snapshot(&pin_call_fixtures()), true).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let part: serde_json::Map<_, _> = ["pin_calls", "calls_in_flight"]
        .iter()
        .map(|key| ((*key).to_owned(), value[*key].clone()))
        .collect();
    assert_snapshot!(
        "pin_calls_json",
        &(serde_json::to_string_pretty(&part).unwrap() + "\n"),
    );
}

#[test]
fn a_finding_whose_times_have_the_same_text_has_one_time() {
    let snapshot = snapshot(&finding_fixtures());
    let mut found = snapshot.findings[0].clone();
    let mut seen = |last: u64| {
        (found.first, found.last) = (Nanos(12_100_000_000), Nanos(last));
        super::findings::described(&found, Nanos(0), 200)[1].clone()
    };
    assert!(seen(12_300_000_000).ends_with(", 12s after the start"));
    assert!(seen(13_300_000_000).ends_with(", 12s to 13s after the start"));
}

#[test]
fn findings_fit_a_narrow_page() {
    let snapshot = snapshot(&finding_fixtures());
    for line in super::findings::section(&snapshot, 50) {
        assert!(pintrace_text::width(&line) <= 50, "{line}");
    }
}

#[test]
fn the_json_lists_findings_and_windows() {
    let text = json::render(&snapshot(&finding_fixtures()), true).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let part: serde_json::Map<_, _> = ["findings", "findings_dropped", "windows", "flush_check"]
        .iter()
        .map(|key| ((*key).to_owned(), value[*key].clone()))
        .collect();
    assert_snapshot!(
        "findings_json",
        &(serde_json::to_string_pretty(&part).unwrap() + "\n"),
    );
}

#[test]
fn the_json_of_a_snapshot() {
    let text = json::render(&snapshot(&fio_and_others()), true).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_snapshot!(
        "snapshot_json",
        &(serde_json::to_string_pretty(&value).unwrap() + "\n"),
    );
}

#[test]
fn the_json_has_every_key_of_the_schema() {
    let text = json::render(&snapshot(&fio_and_others()), true).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys = |value: &serde_json::Value, keys: &str| {
        for key in keys.split(' ') {
            assert!(value.get(key).is_some_and(|value| !value.is_null()), "{key}");
        }
    };
    keys(&value, "schema mode kernel duration_ns balance loss processes");
    keys(
        &value["balance"],
        "vmstat_acquired vmstat_released vmstat_held ledger_acquired ledger_released ledger_held gup_retry \
         preexisting_held unaccounted",
    );
    keys(
        &value["processes"][0],
        "pid comm extents pages_held bytes_held longterm_pages_held oldest_ns acquired released subsystems",
    );
    for loss in pintrace_common::counters::Loss::ALL {
        assert_eq!(value["loss"][loss.name()], 0);
    }
    assert_eq!(value["processes"][0]["subsystems"]["io_uring"], 1024);
}

#[test]
fn unreadable_vmstat_is_null_in_json() {
    let text = json::render(&snapshot(&EventBuilder::begin()), true).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(value["balance"]["unaccounted"].is_null());
    assert_eq!(value["balance"]["ledger_held"], 0);
}
