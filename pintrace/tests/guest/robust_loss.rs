//! Tables that are too small: losses are counted by name, and the totals stay exact as the design promises.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::harness::{kernel_at_least, left_out, wait_for};
use super::recording::NO_FINDINGS;
use super::robust_kit::{Before, Running, path, pintrace, report};

/// Records a shell script with given map sizes, and returns the report.
fn recorded(maps: &[&str], script: &str) -> Value {
    let before = Before::now();
    let file = path("loss");
    let mut words = vec!["record", NO_FINDINGS, "--interval", "200ms"];
    words.extend(["-o", file.to_str().unwrap()]);
    for map in maps {
        words.extend(["--map-entries", map]);
    }
    words.extend(["--", "sh", "-c", script]);
    let ended = pintrace(&words);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let json = report(&file);
    assert_eq!(json["complete"], true);
    before.assert_nothing_is_left();
    json
}

fn balance(json: &Value, name: &str) -> i64 {
    json["balance"][name].as_i64().unwrap()
}

fn lost(json: &Value, name: &str) -> u64 {
    json["loss"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name} in {}", json["loss"]))
}

/// Checks that `pages` pages were pinned and released, both by vmstat and by the ledger. vmstat also counts the pages that
/// the kernel pinned and dropped again inside the calls.
fn exact(json: &Value, pages: i64) {
    let figures = |names: [&str; 4]| names.map(|name| balance(json, name));
    let found = figures([
        "vmstat_acquired",
        "vmstat_released",
        "ledger_acquired",
        "ledger_released",
    ]);
    let with_retries = pages + balance(json, "gup_retry");
    assert_eq!(
        found,
        [with_retries, with_retries, pages, pages],
        "{}",
        json["balance"]
    );
    let settled = figures(["vmstat_held", "ledger_held", "preexisting_held", "unaccounted"]);
    assert_eq!(settled, [0; 4], "{}", json["balance"]);
}

/// Returns the number of calls that the kernel skipped because the same program was active on the CPU, as concurrent
/// pins on a preemptible kernel cause. The figures may lack these calls and no others.
fn skipped(json: &Value) -> i64 {
    i64::try_from(lost(json, "recursion_missed")).unwrap()
}

/// Like [`exact`], but the ledger may lack `pages_a_call` pages for each skipped call.
fn exact_but_for_skipped(json: &Value, pages: i64, pages_a_call: i64) {
    let missed = skipped(json);
    if missed == 0 {
        return exact(json, pages);
    }
    eprintln!("the kernel skipped {missed} calls, which were counted");
    let vmstat = ["vmstat_acquired", "vmstat_released"].map(|name| balance(json, name));
    assert_eq!(vmstat, [pages; 2], "{}", json["balance"]);
    let unreadable = pages - balance(json, "ledger_acquired");
    assert!(
        (0..=missed * pages_a_call).contains(&unreadable),
        "{}",
        json["balance"]
    );
    let unaccounted = balance(json, "unaccounted").abs();
    assert!(unaccounted <= missed * pages_a_call, "{}", json["balance"]);
}

#[test]
fn a_full_ring_buffer_is_counted_and_all_figures_stay_exact() {
    let before = Before::now();
    let file = path("ring");
    let words = [
        "record",
        NO_FINDINGS,
        "--interval",
        "200ms",
        "--map-entries",
        "RING=4096",
        "-o",
        file.to_str().unwrap(),
    ];
    let recorder = Running::start(&words);
    before.wait_for_probes();
    wait_for("a first frame", || {
        let length = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
        (length > 0).then_some(())
    });
    // A stopped recorder does not read the ring buffer.
    recorder.signal(Signal::STOP);
    let mut pinload = Command::new("pinload")
        .args([
            "io-uring",
            "--threads",
            "40",
            "--pages",
            "16",
            "--hold-until-stdin",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(pinload.stdout.take().unwrap()).lines();
    for line in lines.by_ref().take(40) {
        assert!(line.unwrap().contains(r#""event":"ready""#));
    }
    recorder.signal(Signal::CONT);
    let pid = pinload.id();
    let of_pinload = |json: &Value| {
        let all = json["processes"].as_array().unwrap();
        all.iter().find(|process| process["pid"] == pid).cloned()
    };
    // A frame may be incomplete, so the file is read until it contains all pins.
    wait_for("the pins under their process", || {
        let json = report(&file);
        let process = of_pinload(&json);
        let all = |process: Value| process["pages_held"] == 640 && process["longterm_pages_held"] == 640;
        let shown = skipped(&json) > 0 || process.is_some_and(all);
        (balance(&json, "vmstat_held") == 640 && shown).then_some(())
    });
    let json = report(&file);
    assert!(lost(&json, "ring_full") > 0, "{}", json["loss"]);
    assert_eq!(balance(&json, "vmstat_held"), 640);
    let unreadable = 640 - balance(&json, "ledger_held");
    assert_eq!(balance(&json, "unaccounted"), unreadable, "{}", json["balance"]);
    assert!(
        (0..=16 * skipped(&json)).contains(&unreadable),
        "{}",
        json["balance"]
    );
    pinload.stdin.take().unwrap().write_all(b"\n").unwrap();
    lines.for_each(drop);
    assert!(pinload.wait().unwrap().success());
    wait_for("the releases", || {
        (balance(&report(&file), "vmstat_held") == 0).then_some(())
    });
    recorder.signal(Signal::INT);
    let ended = recorder.end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("ring_full"), "{}", ended.stderr);
    let json = report(&file);
    exact_but_for_skipped(&json, 640, 16);
    let process = of_pinload(&json).unwrap();
    if skipped(&json) == 0 {
        assert_eq!(
            (&process["acquired"], &process["released"]),
            (&640.into(), &640.into()),
            "{process}"
        );
    }
    before.assert_nothing_is_left();
}

#[test]
fn a_full_folio_table_is_counted_and_acquired_pages_stay_exact() {
    let json = recorded(
        &["CHUNKS=1"],
        "pinload process-vm --pages 512 --repeat 20 >/dev/null",
    );
    let full = lost(&json, "folio_table_full");
    assert!(full > 0, "{}", json["loss"]);
    let pages = 512 * 20;
    assert_eq!(
        (
            balance(&json, "vmstat_acquired"),
            balance(&json, "ledger_acquired")
        ),
        (pages, pages)
    );
    // The release of a page without a cell is that of a lost pin, once per page. No pin is older than the session.
    let missing = pages - balance(&json, "ledger_released");
    let lost_pins = ["lost_pin_released", "preexisting_released"].map(|key| balance(&json, key));
    assert_eq!(lost_pins, [missing, 0], "{}", json["balance"]);
    assert_eq!(i64::try_from(full).unwrap(), missing, "{}", json["balance"]);
}

#[test]
fn a_full_account_table_is_counted_and_all_totals_stay_exact() {
    // The processes run concurrently; one after another, each could reuse the account of the last.
    let script = "for i in 1 2 3 4; do pinload io-uring --pages 64 --hold 3s >/dev/null & done; wait";
    let json = recorded(&["ACCOUNTS=2"], script);
    assert!(lost(&json, "account_table_full") > 0, "{}", json["loss"]);
    exact(&json, 256);
}

#[test]
fn full_tables_of_other_kinds_are_counted_by_name_and_all_totals_stay_exact() {
    // Calls that fault in 64 MiB each are long enough to overlap. The threads have separate memory, and therefore
    // separate extents. Two processes hold the same pages. Calls of three kinds have three stacks, for which the two maps
    // have no room.
    let script = "pinload io-uring --threads 4 --untouched --pages 16384 >/dev/null
        pinload io-uring --shared-memory --pages 64 >/dev/null
        pinload process-vm --pages 64 >/dev/null
        pinload af-xdp --pages 64 >/dev/null";
    let json = recorded(
        &[
            "EXTENTS=1",
            "LONGTERM_CALLS=1",
            "MULTI_OWNER_FOLIOS=1",
            "STACKS=1",
            "MORE_STACKS=1",
        ],
        script,
    );
    for name in ["extent_table_full", "owner_cells_full", "stack_lost"] {
        assert!(lost(&json, name) > 0, "{name}: {}", json["loss"]);
    }
    // Two calls may not overlap without preemption.
    if lost(&json, "longterm_calls_full") == 0 {
        left_out("longterm_calls_full", &"no two calls overlapped");
    }
    exact_but_for_skipped(&json, 4 * 16384 + 2 * 64 + 64 + 64, 16384);
}

/// Before 6.5 a kretprobe is used, which has few instances: the returns of additional concurrent calls are missed.
#[test]
fn returns_that_a_kretprobe_misses_are_counted_one_by_one() {
    const THREADS: i64 = 48;
    let json = recorded(
        &[],
        &format!("pinload scenario concurrent-pins --pages {THREADS} >/dev/null"),
    );
    let missed = i64::try_from(lost(&json, "probe_missed")).unwrap();
    println!("{missed} of {} returns missed", 2 * THREADS);
    assert_eq!(missed > 0, !kernel_at_least(6, 5), "{}", json["loss"]);
    let vmstat = ["vmstat_acquired", "vmstat_released"].map(|name| balance(&json, name));
    assert_eq!(vmstat, [2 * THREADS; 2], "{}", json["balance"]);
    let counted = balance(&json, "ledger_acquired") + missed;
    if skipped(&json) == 0 {
        assert_eq!(counted, 2 * THREADS, "{}", json["balance"]);
    } else {
        let short = 2 * THREADS - counted;
        assert!((0..=skipped(&json)).contains(&short), "{}", json["balance"]);
    }
}
