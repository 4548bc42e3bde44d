//! The views of `pintrace top` on a terminal, against the snapshot that `:save` writes of the same moment and against
//! `top --once --json`.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::harness::{Checks, Pinload, Started, number, skipped, wait_for};
use super::on_terminal::OnTerminal;
use super::robust_kit::{json_of, path, report};

/// The workload, and its pages: so few that each view shows every digit.
const WORDS: &str = "io-uring --pages 321";
const PAGES: u64 = 321;
/// The session. Findings need hooks that make each test slower, and no view below shows one.
const TOP: &str = "pintrace top --interval 500ms --no-findings";
/// Key, name of a column, and a word of the row of the workload in a view. `PID` stands for the process id.
const VIEWS: [(&[u8], &str, &str); 4] = [
    (b"1", "COMMAND", "PID"),
    (b"3", "HOLDER", "PID"),
    (b"4", "ADDRESS", "PID"),
    (b"5", "CALLER", "io_pin_pages"),
];

/// Returns the cells of the first row of a screen with a cell.
fn row_with<'a>(screen: &'a str, cell: &str) -> Vec<&'a str> {
    let rows = screen
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.into_iter()
        .find(|cells| cells.contains(&cell))
        .unwrap_or_default()
}

/// Returns the pages that a process holds in a document of a session.
fn pages_held(document: &Value, pid: &Value) -> Option<u64> {
    let processes = document["processes"].as_array().unwrap();
    let process = processes.iter().find(|one| one["pid"] == *pid)?;
    Some(number(&process["pages_held"]))
}

/// Waits until the screen has a text, and returns the screen.
fn screen_with(top: &OnTerminal, text: &str) -> String {
    wait_for(&format!("“{text}” on the screen"), || {
        let screen = top.screen();
        screen.contains(text).then_some(screen)
    })
}

/// Types a command of the palette.
fn command(top: &OnTerminal, text: &str) {
    top.key(format!(":{text}\r").as_bytes());
}

#[test]
fn the_figures_on_the_screen_are_those_of_the_saved_snapshot_and_of_once() {
    const NAME: &str = "the_figures_on_the_screen_are_those_of_the_saved_snapshot_and_of_once";
    let top = OnTerminal::start(TOP);
    let (pinload, ready) = match Pinload::start(WORDS, 1) {
        Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
        Started::Unavailable(why) => return skipped(NAME, &why),
    };
    let pid = ready["pid"].to_string();
    screen_with(&top, &pid);
    top.key(b"z");
    screen_with(&top, "PAUSED");
    let file = path("top.json");
    command(&top, &format!("save {}", file.display()));
    screen_with(&top, "Saved");
    let saved: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let mut checks = Checks::default();
    checks.same(
        "pages in the file",
        pages_held(&saved, &ready["pid"]),
        Some(PAGES),
    );
    for (key, title, cell) in VIEWS {
        checks.about(format!("view {}", String::from_utf8_lossy(key)));
        top.key(key);
        let screen = screen_with(&top, title);
        let cells = row_with(&screen, if cell == "PID" { &pid } else { cell });
        let shown = cells.contains(&PAGES.to_string().as_str());
        checks.holds(shown, &format!("{PAGES} pages in {cells:?} of\n{screen}"));
    }
    checks.about("header");
    let header = top.screen();
    for (title, key) in [("vmstat", "vmstat_held"), ("ledger", "ledger_held")] {
        let figure = format!("{title} {}", saved["balance"][key]);
        checks.holds(header.contains(&figure), &format!("“{figure}” in\n{header}"));
    }
    checks.about("top --once --json beside it");
    let once = json_of(&["top", "--once", "--json", "--interval", "500ms"]);
    checks.same("pages", pages_held(&once, &ready["pid"]), Some(PAGES));
    checks.same("unaccounted", once["balance"]["unaccounted"].as_i64(), Some(0));
    checks.same(
        "vmstat",
        &once["balance"]["vmstat_held"],
        &saved["balance"]["vmstat_held"],
    );
    top.key(b"q");
    checks.same("exit code of top", top.end(), 0);
    top.assert_restored();
    checks.holds(pinload.end().success(), "pinload's end");
    checks.conclude();
}

#[test]
fn a_recording_from_the_view_begins_with_the_session() {
    let top = OnTerminal::start(TOP);
    let (pinload, ready) = Pinload::hold(WORDS, 1);
    let pid = ready[0]["pid"].clone();
    screen_with(&top, &pid.to_string());
    assert!(pinload.end().success());
    screen_with(&top, "1 ended process, acquired 321 pages");
    // The pins are gone before the recording begins.
    let file = path("late.pintrace");
    command(&top, &format!("record {}", file.display()));
    screen_with(&top, "RECORDING");
    top.key(b"w");
    screen_with(&top, "Recorded");
    top.key(b"q");
    assert_eq!(top.end(), 0);
    let report = report(&file);
    let processes = report["processes"].as_array().unwrap();
    let process = processes.iter().find(|one| one["pid"] == pid).unwrap();
    assert_eq!(
        (number(&process["acquired"]), number(&process["released"])),
        (PAGES, PAGES)
    );
    assert_eq!(report["complete"], true);
}

#[test]
fn the_screen_follows_the_size_of_the_terminal() {
    let top = OnTerminal::start(TOP);
    screen_with(&top, "unaccounted 0");
    for (columns, rows) in [(40, 10), (200, 50), (41, 11), (100, 24)] {
        for step in 0..10 {
            top.resize(columns + step % 3, rows + step % 2);
        }
        top.resize(columns, rows);
        // The key comes after the sizes, so the picture of the help has the last size.
        top.key(b"?");
        let help = screen_with(&top, "Keys on every screen");
        assert!(
            help.lines().count() <= usize::from(rows),
            "{columns} x {rows}:\n{help}"
        );
        // A key that follows Escape at once would be Alt with that key.
        top.key(b"\x1b");
        // The help is also gone while the screen is drawn anew: the footer of the table comes last.
        wait_for("the table", || {
            let screen = top.screen();
            (screen.contains("q quit") && !screen.contains("Keys on every screen")).then_some(())
        });
    }
    top.key(b"q");
    assert_eq!(top.end(), 0);
    top.assert_restored();
}

/// A size that changes and changes back before the next drawing is a signal and the same size as before, and the terminal
/// has lost the cells that the size in between did not have.
#[test]
fn the_whole_screen_is_drawn_after_each_change_of_size_and_on_request() {
    let top = OnTerminal::start(TOP);
    screen_with(&top, "unaccounted 0");
    top.key(b"?");
    screen_with(&top, "Keys on every screen");
    let pid = Pid::from_raw(top.program().cast_signed()).unwrap();
    top.wipe();
    kill_process(pid, Signal::WINCH).unwrap();
    screen_with(&top, "Keys on every screen");
    top.wipe();
    top.key(b"\x0c");
    screen_with(&top, "Keys on every screen");
    top.key(b"q");
    assert_eq!(top.end(), 0);
    top.assert_restored();
}
