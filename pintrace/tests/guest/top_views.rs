//! The views of `pintrace top` in a terminal of tmux, against the snapshot that `:save` writes of the same moment.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::harness::{Checks, Pinload, Started, number, skipped, wait_for};
use super::robust_kit::path;

/// The workload, and its pages: so few that each view shows every digit.
const WORDS: &str = "io-uring --pages 321";
const PAGES: u64 = 321;

/// A terminal in which `pintrace top` runs.
struct Tmux;

impl Tmux {
    fn start(command: &str) -> Result<Self, String> {
        let size = ["-x", "120", "-y", "40"];
        let started = tmux(&[&["new-session", "-d", "-s", "top"], &size[..], &[command]].concat())?;
        assert_eq!(started, "");
        Ok(Self)
    }

    /// Types a text, and a key after it.
    fn send(&self, text: &str, key: &str) {
        if !text.is_empty() {
            self.run(&["send-keys", "-t", "top", "-l", text]);
        }
        if !key.is_empty() {
            self.run(&["send-keys", "-t", "top", key]);
        }
    }

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-t", "top", "-p"])
    }

    /// Waits until the screen has a text, and returns the screen.
    fn wait_for(&self, text: &str) -> String {
        wait_for(&format!("“{text}” on the screen"), || {
            let screen = self.screen();
            screen.contains(text).then_some(screen)
        })
    }

    fn run(&self, words: &[&str]) -> String {
        let Self = self;
        tmux(words).unwrap()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // The session may have ended with the program.
        let _ = tmux(&["kill-server"]);
    }
}

/// Runs a command of tmux.
fn tmux(words: &[&str]) -> Result<String, String> {
    let output = Command::new("tmux")
        .arg("-u")
        .args(words)
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm-256color")
        .output();
    let output = output.map_err(|error| format!("tmux: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("tmux {words:?}: {}", text(&output.stderr)))
    }
}

/// Returns the cells of the first row of a table that begins with a word, without the cursor and the mark.
fn row_with<'a>(screen: &'a str, word: &str) -> Vec<&'a str> {
    let cells = |line: &'a str| {
        line.split_whitespace()
            .filter(|cell| *cell != ">")
            .collect::<Vec<_>>()
    };
    let row = screen.lines().map(cells).find(|cells| cells.contains(&word));
    row.unwrap_or_default()
}

#[test]
fn the_figures_on_the_screen_are_those_of_the_saved_snapshot() {
    const NAME: &str = "the_figures_on_the_screen_are_those_of_the_saved_snapshot";
    let top = match Tmux::start("pintrace top --interval 500ms --no-findings") {
        Ok(top) => top,
        Err(why) => return skipped(NAME, &why),
    };
    top.wait_for("unaccounted 0");
    let (pinload, ready) = match Pinload::start(WORDS, 1) {
        Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
        Started::Unavailable(why) => return skipped(NAME, &why),
    };
    let pid = ready["pid"].to_string();
    top.wait_for(&pid);
    top.send("z", "");
    top.wait_for("PAUSED");
    let file = path("top.json");
    top.send(&format!(":save {}", file.display()), "Enter");
    top.wait_for("Saved");
    let saved: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let mut checks = Checks::default();
    let processes = saved["processes"].as_array().unwrap();
    let process = processes.iter().find(|one| one["pid"] == ready["pid"]).unwrap();
    checks.same("pages in the file", number(&process["pages_held"]), PAGES);
    let pages = PAGES.to_string();
    for (key, title, row) in [
        ("1", "COMMAND", pid.as_str()),
        ("3", "HOLDER", pid.as_str()),
        ("4", "ADDRESS", pid.as_str()),
        ("5", "CALLER", "io_pin_pages"),
    ] {
        checks.about(format!("view {key}"));
        top.send(key, "");
        let screen = top.wait_for(title);
        let cells = row_with(&screen, row);
        checks.holds(cells.contains(&pages.as_str()), &format!("{pages} in {cells:?}"));
    }
    checks.about("header");
    let header = top.screen();
    for (title, key) in [("vmstat", "vmstat_held"), ("ledger", "ledger_held")] {
        let figure = format!("{title} {}", saved["balance"][key]);
        checks.holds(header.contains(&figure), &format!("{figure} in the header"));
    }
    top.send("", "Escape");
    top.send("q", "");
    wait_for("the end of top", || {
        tmux(&["list-sessions"]).is_err().then_some(())
    });
    checks.holds(pinload.end().success(), "pinload's end");
    checks.conclude();
}
