//! Findings: pinload plays a scenario, says by itself what happened to the pinned pages, and pintrace must have found
//! just that. What was found is held against the table of docs/findings.md as well (`cargo xtask findings` makes it).

use std::collections::BTreeMap;
use std::fmt;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::harness::{Findings, Report, is_preemptible, kernel_at_least, number, skipped};
use super::recording::Recording;

/// What `cargo xtask findings` has seen, by kernel series and scenario.
const TABLE: &str = include_str!("../fixtures/findings.json");

/// A finding, as both sides tell it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    kind: String,
    touch: String,
    count: u64,
    pages: u64,
    pid: u64,
    address: String,
}

impl Claim {
    fn read(value: &Value, touch: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = text(&value["kind"]);
        // Of short-term pins no address is known.
        let address = match kind.as_str() {
            "undeclared-longterm" => String::new(),
            _ => text(&value["address"]),
        };
        Self {
            kind,
            touch: text(touch),
            count: number(&value["count"]),
            pages: number(&value["pages"]),
            pid: number(&value["pid"]),
            address,
        }
    }
}

/// As it stands in the table: the same on every run.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.touch.is_empty() {
            write!(f, " ({})", self.touch)?;
        }
        write!(f, " {}x, {} pages", self.count, self.pages)
    }
}

/// What came of a scenario.
struct Played {
    pids: Vec<u64>,
    expected: Vec<Claim>,
    /// Windows expected, by cause.
    windows: BTreeMap<String, u64>,
}

/// Plays a scenario; `None` if this kernel does not offer it.
fn play(words: &str) -> Option<Played> {
    let output = Command::new("pinload")
        .arg("scenario")
        .args(words.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code() == Some(3) {
        skipped(
            &format!("findings: {words}"),
            &text.lines().last().unwrap_or_default(),
        );
        return None;
    }
    assert!(
        output.status.success(),
        "{words}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let expected = lines.iter().find(|line| line["event"] == "expected").unwrap();
    let claims = expected["findings"].as_array().unwrap();
    let mut claims: Vec<_> = claims
        .iter()
        .map(|claim| Claim::read(claim, &claim["trigger"]))
        .collect();
    claims.sort();
    let windows = expected["windows"].as_array().unwrap().iter();
    let windows = windows
        .map(|window| {
            (
                window["cause"].as_str().unwrap().to_owned(),
                number(&window["count"]),
            )
        })
        .collect();
    let mut pids: Vec<_> = lines.iter().filter_map(|line| line["pid"].as_u64()).collect();
    pids.extend(lines.iter().filter_map(|line| line["child_pid"].as_u64()));
    Some(Played {
        pids,
        expected: claims,
        windows,
    })
}

impl Played {
    /// Everything found about pinload's processes, but for what depends on who comes first.
    fn found(&self, report: &Report) -> Vec<Claim> {
        let findings = report.document["findings"].as_array().unwrap().iter();
        let mut found: Vec<_> = findings
            .filter(|finding| self.pids.contains(&number(&finding["pid"])))
            .filter(|finding| !finding["kind"].as_str().unwrap().ends_with("-flush-window"))
            // What may have been is no claim.
            .filter(|finding| finding["certain"] == true)
            .map(|finding| {
                let touch = finding["trigger"].get("operation").unwrap_or(&Value::Null);
                Claim::read(finding, touch)
            })
            .collect();
        found.sort();
        found
    }

    /// Windows counted of pinload's processes.
    fn counted(&self, report: &Report, cause: &str) -> u64 {
        let windows = report.document["windows"].as_array().unwrap().iter();
        let own =
            windows.filter(|window| self.pids.contains(&number(&window["pid"])) && window["cause"] == cause);
        own.map(|window| number(&window["count"])).sum()
    }
}

/// The series of the running kernel, such as `6.12`.
fn series() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.');
    format!("{}.{}", numbers.next().unwrap(), numbers.next().unwrap())
}

/// Plays all beside a recording, compares, and prints what `cargo xtask findings` collects.
fn check(scenarios: &[&str]) {
    let recording = Recording::shared();
    let played = play_all(scenarios);
    compare(&[], played, &recording.finish());
}

/// The same with options for the recording.
fn check_with(options: &[&str], scenarios: &[&str]) {
    let recording = Recording::start_with("findings", options);
    let played = play_all(scenarios);
    compare(options, played, &recording.finish());
}

fn play_all<'w>(scenarios: &[&'w str]) -> Vec<(&'w str, Option<Played>)> {
    scenarios.iter().map(|words| (*words, play(words))).collect()
}

fn compare(options: &[&str], played: Vec<(&str, Option<Played>)>, report: &Report) {
    let table: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(TABLE).unwrap();
    let series = series();
    let mut findings = Findings::default();
    for (words, played) in played {
        findings.about(words);
        let cell = match played {
            None => "not offered".to_owned(),
            Some(played) => {
                let found = played.found(report);
                let expected = if is_hidden(words) {
                    Vec::new()
                } else {
                    played.expected.clone()
                };
                findings.same("what was found", found.clone(), expected);
                for (cause, count) in &played.windows {
                    let counted = played.counted(report, cause);
                    findings.same(&format!("windows of {cause}"), counted, *count);
                }
                cell(&found)
            }
        };
        let row = [&[words], options].concat().join(" ");
        println!("finding\t{series}\t{row}\t{cell}");
        if let Some(on_file) = table.get(&series).and_then(|cells| cells.get(&row)) {
            findings.same("the table of docs/findings.md", on_file.clone(), cell);
        }
    }
    findings.about("all of them");
    report.check(&mut findings);
    findings.conclude();
}

/// The compiler may put the beginning of move_page_tables into its callers, and call the rest under another name (5.10).
fn is_hidden(scenario: &str) -> bool {
    let symbols = || std::fs::read_to_string("/proc/kallsyms").unwrap();
    scenario == "mremap-keep" && symbols().contains(" move_page_tables.part.")
}

fn cell(found: &[Claim]) -> String {
    if found.is_empty() {
        return "silent".to_owned();
    }
    let claims: Vec<_> = found.iter().map(ToString::to_string).collect();
    claims.join("; ")
}

#[test]
fn copies_after_a_fork_are_told_apart() {
    check(&[
        "fork-write-parent",
        "fork-write-parent --backing thp --reserve",
        "fork-write-parent --backing hugetlb --pages 512 --reserve",
        "fork-write-child",
        "fork-write-child --backing hugetlb --pages 512 --reserve",
    ]);
}

#[test]
fn write_protection_is_found_and_so_is_the_cow_that_it_leads_to() {
    check(&[
        "protect-write",
        "protect-write --backing thp --reserve",
        "protect-write --backing hugetlb --pages 512 --reserve",
        "soft-dirty",
        "read-pin-write",
        "ksm",
    ]);
}

#[test]
fn mappings_that_are_taken_away_are_found() {
    check(&[
        "unmap-remap",
        "unmap-remap --backing hugetlb --pages 512 --reserve",
        "dontneed",
        "dontneed --backing thp --reserve",
        "process-dontneed",
        "free",
        "mremap",
        "mremap-keep",
        "map-over",
        "truncate",
    ]);
}

#[test]
fn userfaultfd_on_pinned_pages_is_found() {
    check(&[
        "uffd-wp-writers --rounds 20",
        "uffd-wp-writers --rounds 20 --backing thp --reserve",
    ]);
}

#[test]
fn pins_that_stay_are_found() {
    check(&["exit-inherited-ring --hold 2s", "missing-longterm --hold 7s"]);
}

#[test]
fn what_happens_to_short_term_pins_is_found_where_it_is_asked_for() {
    check_with(&["--short-term"], &["short-unmap", "unmap-remap", "quiet-unmap"]);
}

#[test]
fn what_is_copied_while_somebody_has_a_reference_is_found_where_it_is_asked_for() {
    check_with(&["--foll-get"], &["reference-fork-write", "quiet-reference"]);
}

#[test]
fn controls_are_silent() {
    check(&[
        "quiet-fork",
        "quiet-unmap",
        "quiet-protect",
        "quiet-release",
        "quiet-partial-release",
    ]);
}

/// Ten thousand write-protects by four threads while two others write. Each that changed a page is a window; and the
/// faults that our windows cover are held against the kernel's own count.
#[test]
fn every_window_of_a_storm_is_counted() {
    let recording = Recording::start("storm");
    let played = play("uffd-wp-storm");
    let report = recording.finish();
    let Some(played) = played else { return };
    let mut findings = Findings::default();
    findings.about("uffd-wp-storm");
    findings.same("what was found", played.found(&report), Vec::new());
    let expected = played.windows["uffd_wp"];
    findings.same("windows expected", expected, 10_000);
    // What an end tells is lost where the kernel skips all copies of its program for a thread, and where kretprobes stand in
    // (5.10), of which it has as many instances as CPUs. Each such window is counted.
    let missed = number(&report.document["loss"]["window_missed"]);
    let skipped = number(&report.document["loss"]["mm_event_missed"]);
    println!("windows: {expected} expected, {missed} missed; {skipped} calls skipped");
    findings.same(
        "windows counted",
        played.counted(&report, "uffd_wp") + missed,
        expected,
    );
    if kernel_at_least(5, 19) && !is_preemptible() {
        findings.same("windows missed", missed, 0);
    }
    findings.holds(missed * 50 <= expected, "hardly a window missed");
    let check = &report.document["flush_check"];
    let [agreed, covered, pending] =
        ["agreed", "covered_only", "pending_only"].map(|key| number(&check[key]));
    println!("flush check: agreed {agreed}, covered only {covered}, pending only {pending}");
    // A window of ours is open from before the kernel counts to after: by that much it may cover more.
    findings.holds(
        covered * 20 <= agreed + pending + 20,
        "hardly a fault covered by us alone",
    );
    for (reason, count) in report.document["loss"].as_object().unwrap() {
        let passed = ["name_unread", "mm_event_missed", "window_missed"].contains(&reason.as_str());
        findings.same(&format!("loss.{reason}"), passed || number(count) == 0, true);
    }
    findings.conclude();
}
