//! The rows of each view of synthetic streams, as snapshots, and claims about their choice. `INSTA_UPDATE=always cargo test -p
//! pintrace --lib view_rows` rewrites the snapshots.

use insta::assert_snapshot;

use pintrace_model::Model;
use pintrace_testing::event_builder::{EventBuilder, finding_fixtures, fio_and_others, pin_call_fixtures};

use super::*;

fn snapshot(stream: &EventBuilder) -> Snapshot {
    let mut model = Model::default();
    stream.events.iter().for_each(|event| model.apply(event));
    model.snapshot()
}

/// Returns a stream with rows of a view.
fn stream(view: ViewName) -> EventBuilder {
    match view {
        ViewName::Findings | ViewName::FlushWindows => finding_fixtures(),
        ViewName::PinCalls => pin_call_fixtures(),
        _ => fio_and_others(),
    }
}

fn chosen(choice: Choice<'_>, format: Format) -> String {
    let printer = printer(choice).unwrap();
    printer
        .render(&snapshot(&stream(choice.view)), format, true)
        .unwrap()
}

fn of(view: ViewName) -> Choice<'static> {
    Choice {
        view,
        with_ended: true,
        ..Choice::default()
    }
}

#[test]
fn each_view_is_printed_in_each_format() {
    for view in ViewName::ALL {
        let formats = [Format::Text(100), Format::Csv, Format::JsonLines];
        let text = formats.map(|format| chosen(of(view), format)).join("\n");
        assert_snapshot!(view.as_str(), text);
    }
}

#[test]
fn csv_and_json_have_the_same_columns_and_rows() {
    for view in ViewName::ALL {
        let (csv, json) = (chosen(of(view), Format::Csv), chosen(of(view), Format::JsonLines));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let rows = json["rows"].as_array().unwrap();
        assert!(!rows.is_empty(), "{view:?}");
        assert_eq!(csv.lines().count(), 1 + rows.len(), "{view:?}");
        let heading: Vec<&str> = csv.lines().next().unwrap().split(',').skip(1).collect();
        let first = rows[0].as_object().unwrap();
        assert_eq!(heading.len(), first.len(), "{view:?}");
        assert!(heading.iter().all(|id| first.contains_key(*id)), "{view:?}");
    }
}

#[test]
fn the_heading_is_printed_once() {
    let printer = printer(of(ViewName::Processes)).unwrap();
    let snapshot = snapshot(&fio_and_others());
    let again = printer.render(&snapshot, Format::Csv, false).unwrap();
    assert_eq!(
        chosen(of(ViewName::Processes), Format::Csv)
            .split_once('\n')
            .unwrap()
            .1,
        again
    );
    let table = printer.render(&snapshot, Format::Text(100), false).unwrap();
    assert!(table.starts_with('\n'), "a blank line between two tables");
}

/// Returns the cells of a column, without quotes.
fn column(csv: &str, id: &str) -> Vec<String> {
    let mut lines = csv.lines().map(|line| line.split(','));
    let index = lines.next().unwrap().position(|one| one == id).unwrap();
    lines
        .map(|mut cells| cells.nth(index).unwrap().to_owned())
        .collect()
}

#[test]
fn a_query_asks_the_fields_of_the_view() {
    let asked = |view, query| Choice {
        query: Some(query),
        ..of(view)
    };
    let fio = chosen(asked(ViewName::Processes, "comm = fio"), Format::Csv);
    assert_eq!(column(&fio, "comm"), ["fio"]);
    let all = column(&chosen(of(ViewName::Findings), Format::Csv), "severity");
    let alarms = column(
        &chosen(asked(ViewName::Findings, "severity = alarm"), Format::Csv),
        "severity",
    );
    assert!(!alarms.is_empty() && alarms.len() < all.len());
    assert!(alarms.iter().all(|severity| severity == "alarm"), "{alarms:?}");
    let loss = column(
        &chosen(asked(ViewName::System, "group = loss"), Format::Csv),
        "group",
    );
    assert!(!loss.is_empty() && loss.iter().all(|group| group == "loss"));
}

#[test]
fn a_folded_row_is_shown_if_one_of_its_findings_matches() {
    let snapshot = snapshot(&finding_fixtures());
    let pid = snapshot.findings[0].pid.0;
    let query = format!("pid = {pid}");
    let choice = Choice {
        query: Some(&query),
        ..of(ViewName::Findings)
    };
    let pids = column(&chosen(choice, Format::Csv), "pids");
    assert!(!pids.is_empty());
    assert!(
        pids.iter()
            .all(|pids| pids.split(' ').any(|one| one == pid.to_string()))
    );
}

#[test]
fn a_query_with_a_field_that_the_view_lacks_is_a_mistake_with_a_caret() {
    for view in ViewName::ALL {
        let choice = Choice {
            query: Some("nosuch = 1"),
            ..of(view)
        };
        let mistake = printer(choice).err().unwrap().to_string();
        assert!(
            mistake.contains("have no field `nosuch`\n  nosuch = 1\n  ^"),
            "{mistake}"
        );
    }
}

#[test]
fn rows_are_sorted_by_the_given_column() {
    let sorted = |view, sort| {
        let choice = Choice {
            sort: Some(sort),
            ..of(view)
        };
        chosen(choice, Format::Csv)
    };
    let by_pid = column(&sorted(ViewName::Processes, "pid"), "pid");
    let by_pid: Vec<u32> = by_pid.iter().map(|pid| pid.parse().unwrap()).collect();
    assert!(by_pid.len() > 1 && by_pid.is_sorted(), "{by_pid:?}");
    assert_eq!(
        sorted(ViewName::Processes, "COMMAND"),
        sorted(ViewName::Processes, "comm")
    );
    let wrong = Choice {
        sort: Some("severity"),
        ..of(ViewName::Pins)
    };
    let mistake = printer(wrong).err().unwrap().to_string();
    assert!(
        mistake.contains("--sort") && mistake.contains("possible: pid, tid, pages_held"),
        "{mistake}"
    );
}

#[test]
fn ended_processes_that_hold_nothing_are_left_out_unless_they_are_asked_for() {
    let mut stream = fio_and_others();
    stream.account(900, 900, 900, 7, true).process(900, "gone");
    stream.exit(900, 0, 0).tick();
    let snapshot = snapshot(&stream);
    let names = |with_ended| {
        let choice = Choice {
            with_ended,
            ..Choice::default()
        };
        let csv = printer(choice)
            .unwrap()
            .render(&snapshot, Format::Csv, true)
            .unwrap();
        column(&csv, "comm")
    };
    let gone = |names: Vec<String>| names.iter().any(|name| name == "gone");
    assert!(gone(names(true)) && !gone(names(false)));
}

#[test]
fn given_processes_choose_the_rows_of_single_processes() {
    let pids = [Pid(snapshot(&fio_and_others())
        .processes
        .iter()
        .next()
        .unwrap()
        .pid
        .0)];
    let rows = |view, pids| {
        let choice = Choice { pids, ..of(view) };
        chosen(choice, Format::Csv).lines().count()
    };
    assert_eq!(rows(ViewName::Processes, &pids), 2);
    assert_eq!(rows(ViewName::CallSites, &pids), rows(ViewName::CallSites, &[]));
}
