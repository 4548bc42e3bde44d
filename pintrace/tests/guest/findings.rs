//! Findings: pinload plays a scenario and prints the findings to expect, and pintrace must report exactly these. The
//! findings must also agree with the table of docs/findings.md, which `cargo xtask findings` makes.

use std::collections::BTreeMap;
use std::fmt;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::harness::{Checks, Report, is_preemptible, kernel_at_least, left_out, number, skipped};
use super::recording::Recording;

/// The results of `cargo xtask findings`, by kernel series and scenario.
const TABLE: &str = include_str!("../fixtures/findings.json");

/// A finding, as both pinload and pintrace print it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    kind: String,
    trigger: String,
    count: u64,
    pages: u64,
    pid: u64,
    address: String,
    /// Empty if pinload leaves the severity open, because it differs between kernels.
    severity: String,
}

impl Claim {
    fn read(value: &Value, trigger: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = text(&value["kind"]);
        // The addresses of short-term pins are unknown. A change of a file has offsets, which pinload calls addresses.
        let address = match (kind.as_str(), value["file_offset"].as_u64()) {
            ("undeclared-longterm", _) => String::new(),
            (_, Some(offset)) => format!("{offset:#x}"),
            _ => text(&value["address"]),
        };
        Self {
            kind,
            trigger: text(trigger),
            count: number(&value["count"]),
            pages: number(&value["pages"]),
            pid: number(&value["pid"]),
            address,
            severity: text(&value["severity"]),
        }
    }

    /// Returns true if both are about the same operation of the same process.
    fn is_about_same(&self, other: &Self) -> bool {
        (&self.kind, &self.trigger, self.pid) == (&other.kind, &other.trigger, other.pid)
    }

    /// Returns true if the other claim says the same, or the same of fewer pages.
    fn covers(&self, other: &Self) -> bool {
        let fewer = Self {
            pages: self.pages,
            ..other.clone()
        };
        *self == fewer && other.pages <= self.pages
    }
}

/// The text in the table, equal on every run.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.trigger.is_empty() {
            write!(f, " ({})", self.trigger)?;
        }
        write!(f, " {}x, {} pages", self.count, self.pages)
    }
}

/// A scenario that pinload has played.
struct Played {
    pids: Vec<u64>,
    expected: Vec<Claim>,
    /// Findings of which each may be missing.
    optional: Vec<Claim>,
    /// The process that floods, in the scenarios `flood` and `quiet-flood`.
    flooder: Option<u64>,
    /// Expected flush windows, by cause.
    windows: BTreeMap<String, u64>,
}

/// Plays a scenario; returns the reason if this kernel does not offer the scenario.
fn play(words: &str) -> Result<Played, String> {
    let output = Command::new("pinload")
        .arg("scenario")
        .args(words.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code() == Some(3) {
        return Err(text.lines().last().unwrap_or_default().to_owned());
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
    let claims = |optional: bool| {
        let all = expected["findings"].as_array().unwrap().iter();
        let wanted = all.filter(|claim| (claim["optional"] == true) == optional);
        let mut claims: Vec<_> = wanted
            .map(|claim| Claim::read(claim, &claim["trigger"]))
            .collect();
        claims.sort();
        claims
    };
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
    Ok(Played {
        flooder: lines.iter().find_map(|line| line["flooder_pid"].as_u64()),
        pids,
        expected: claims(false),
        optional: claims(true),
        windows,
    })
}

impl Played {
    /// Returns the certain or the uncertain findings on pinload's processes, without the findings in flush windows,
    /// which depend on timing.
    fn found(&self, report: &Report, certain: bool) -> Vec<Claim> {
        let findings = report.document["findings"].as_array().unwrap().iter();
        let mut found: Vec<_> = findings
            .filter(|finding| self.pids.contains(&number(&finding["pid"])))
            .filter(|finding| !finding["kind"].as_str().unwrap().ends_with("-flush-window"))
            .filter(|finding| finding["certain"] == certain)
            .map(|finding| {
                let operation = finding["trigger"].get("operation").unwrap_or(&Value::Null);
                let mut claim = Claim::read(finding, operation);
                let mut about_same = self.expected.iter().filter(|other| other.is_about_same(&claim));
                if about_same.any(|expected| expected.severity.is_empty()) {
                    claim.severity.clear();
                }
                claim
            })
            .collect();
        found.sort();
        found
    }

    /// Returns true if a finding is one of the optional findings.
    fn covers(&self, claim: &Claim) -> bool {
        self.optional.iter().any(|optional| optional.covers(claim))
    }

    /// Returns true if each optional or uncertain finding is one of the optional findings. The uncertain findings of a
    /// scenario without optional findings are not compared.
    fn allows(&self, uncertain: &[Claim]) -> bool {
        self.optional.is_empty()
            || (uncertain.len() <= self.optional.len() && uncertain.iter().all(|claim| self.covers(claim)))
    }

    /// Returns the number of flush windows of pinload's processes.
    fn counted(&self, report: &Report, cause: &str) -> u64 {
        let windows = report.document["windows"].as_array().unwrap().iter();
        let own =
            windows.filter(|window| self.pids.contains(&number(&window["pid"])) && window["cause"] == cause);
        own.map(|window| number(&window["count"])).sum()
    }
}

/// Returns the series of the running kernel, such as `6.12`.
fn series() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.');
    format!("{}.{}", numbers.next().unwrap(), numbers.next().unwrap())
}

/// Plays scenarios during a recording, compares the findings, and prints the lines that `cargo xtask findings`
/// collects.
fn check(scenarios: &[&str]) {
    let recording = Recording::shared();
    let played = play_all(scenarios);
    compare(&[], played, &recording.finish());
}

/// Like [`check`], with options for the recording.
fn check_with(options: &[&str], scenarios: &[&str]) {
    let recording = Recording::start_with("findings", options);
    let played = play_all(scenarios);
    compare(options, played, &recording.finish());
}

fn play_all<'w>(scenarios: &[&'w str]) -> Vec<(&'w str, Result<Played, String>)> {
    scenarios.iter().map(|words| (*words, play(words))).collect()
}

fn compare(options: &[&str], played: Vec<(&str, Result<Played, String>)>, report: &Report) {
    let table: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(TABLE).unwrap();
    let series = series();
    let mut checks = Checks::default();
    if let [(first, Err(why)), rest @ ..] = &played[..]
        && rest.iter().all(|(_, played)| played.is_err())
    {
        skipped(&format!("findings: all scenarios from {first} on"), why);
    }
    for (words, played) in played {
        checks.about(words);
        let cell = match played {
            Err(why) => {
                left_out(words, &why);
                "not offered".to_owned()
            }
            Ok(played) => {
                let (optional, found): (Vec<_>, Vec<_>) = played
                    .found(report, true)
                    .into_iter()
                    .partition(|claim| played.covers(claim));
                let uncertain = [optional, played.found(report, false)].concat();
                let expected = if is_hidden(words) {
                    Vec::new()
                } else {
                    played.expected.clone()
                };
                checks.same("the findings", found.clone(), expected);
                if !played.allows(&uncertain) {
                    checks.same("the optional findings", uncertain, played.optional.clone());
                }
                for (cause, count) in &played.windows {
                    let counted = played.counted(report, cause);
                    checks.same(&format!("windows of {cause}"), counted, *count);
                }
                cell(&found, &played.optional)
            }
        };
        let row = [&[words], options].concat().join(" ");
        println!("finding\t{series}\t{row}\t{cell}");
        if let Some(on_file) = table.get(&series).and_then(|cells| cells.get(&row)) {
            checks.same("the table of docs/findings.md", on_file.clone(), cell);
        }
    }
    checks.about("all scenarios");
    report.check(&mut checks);
    checks.conclude();
}

/// Returns true if a scenario cannot be seen: on 5.10 the compiler may inline the beginning of move_page_tables into
/// its callers and put the rest into `move_page_tables.part.N`.
fn is_hidden(scenario: &str) -> bool {
    let symbols = || std::fs::read_to_string("/proc/kallsyms").unwrap();
    scenario == "mremap-keep" && symbols().contains(" move_page_tables.part.")
}

/// Returns the text in the table, which does not depend on whether an optional finding was found.
fn cell(found: &[Claim], optional: &[Claim]) -> String {
    let optional = optional.iter().map(|claim| format!("at most {claim}"));
    let claims: Vec<_> = found.iter().map(ToString::to_string).chain(optional).collect();
    if claims.is_empty() {
        return "silent".to_owned();
    }
    claims.join("; ")
}

#[test]
fn copies_after_a_fork_are_found() {
    check(&[
        "fork-write-parent",
        "fork-write-parent --backing thp --reserve",
        "fork-write-parent --backing hugetlb --pages 512 --reserve",
        "fork-write-child",
        "fork-write-child --backing hugetlb --pages 512 --reserve",
    ]);
}

#[test]
fn write_protection_and_the_cow_that_follows_are_found() {
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
fn changes_to_the_mapping_of_pinned_pages_are_found() {
    check(&[
        "unmap-remap",
        "unmap-remap --backing hugetlb --pages 512 --reserve",
        "dontneed",
        "dontneed --backing thp --reserve",
        "dontneed --backing hugetlb --pages 512 --reserve",
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
fn pins_that_are_held_too_long_are_found() {
    check(&["exit-inherited-ring --hold 2s", "missing-longterm --hold 7s"]);
}

#[test]
fn pins_that_a_process_keeps_across_execve_are_a_note() {
    check(&["exec-keep --hold 2500ms", "exec-cloexec --hold 2500ms"]);
}

#[test]
fn an_unmap_after_the_close_of_the_ring_is_a_note_at_most() {
    check(&["close-unmap", "unmap-close"]);
}

/// The open ring holds the pins, although a 64-bit call would have the closed ring in its first argument. Control:
/// `close-unmap`, in which the ring of the pins is closed.
#[test]
fn pins_by_a_32_bit_call_belong_to_no_other_file() {
    check(&["compat-call-unmap"]);
}

#[test]
fn only_pages_that_madvise_has_dropped_are_found() {
    check(&[
        "dontneed-failed",
        "dontneed-refused",
        "dontneed-part-of-hugetlb --reserve",
    ]);
}

#[test]
fn pins_that_are_left_after_a_release_next_to_them_are_certain() {
    check(&[
        "adjoining-kept",
        "adjoining-calls",
        "foreign-pin --reserve",
        "quiet-foreign-pin --reserve",
        "many-buffers --pages 12 --reserve",
        "quiet-many-buffers --pages 12 --reserve",
    ]);
}

/// Before 5.17 a call has one extent, and findings on its files are not certain.
#[test]
fn each_part_of_a_buffer_over_several_mappings_has_its_own_file() {
    if kernel_at_least(5, 17) {
        check(&[
            "spanning-punch",
            "spanning-punch --areas 16",
            "quiet-spanning-punch",
            "quiet-spanning-punch --areas 16",
        ]);
    } else {
        skipped(
            "each_part_of_a_buffer_over_several_mappings_has_its_own_file",
            &"a pin call has one extent on this kernel",
        );
    }
}

/// Before 5.17 a folio has 13 owners at most.
#[test]
fn a_folio_has_as_many_owners_as_it_needs() {
    if kernel_at_least(5, 17) {
        check(&[
            "many-buffers --pages 200 --reserve",
            "read-pin-write --others 14",
            "quiet-read-pin-write --others 14",
        ]);
    } else {
        skipped(
            "a_folio_has_as_many_owners_as_it_needs",
            &"a folio has 13 owners at most on this kernel",
        );
    }
}

#[test]
fn findings_on_short_term_pins_need_the_option_short_term() {
    check_with(
        &["--short-term"],
        &["short-term-unmap", "unmap-remap", "quiet-unmap"],
    );
}

#[test]
fn copies_of_referenced_pages_need_the_option_foll_get() {
    check_with(&["--foll-get"], &["reference-fork-write", "quiet-reference"]);
}

#[test]
fn copies_are_found_whichever_process_writes() {
    check(&[
        "read-pin-write --writer sibling",
        "read-pin-write --writer proc-mem",
        "quiet-read-pin-write",
        "quiet-read-pin-write --writer sibling",
        "quiet-read-pin-write --writer proc-mem",
    ]);
}

#[test]
fn a_copy_of_a_page_into_which_direct_io_reads_is_a_hazard() {
    check_with(&["--foll-get"], &["read-fork-write", "quiet-read-fork-write"]);
}

#[test]
fn guard_regions_page_scans_and_remapped_files_are_found() {
    check(&[
        "guard-install",
        "quiet-guard-install",
        "scan-protect",
        "quiet-scan",
        "remap-file-pages",
        "mremap --backing hugetlb --pages 512 --reserve",
    ]);
}

#[test]
fn truncations_of_a_part_of_a_file_are_found() {
    check(&[
        "truncate-part",
        "quiet-truncate",
        "truncate --backing hugetlb --pages 2048 --reserve",
        "truncate-part --backing hugetlb --pages 2048 --reserve",
        "quiet-truncate --backing hugetlb --pages 2048 --reserve",
    ]);
}

/// One process changes its mapping tens of thousands of times. Its records are limited, and the findings on the other
/// process stay certain.
#[test]
fn one_process_does_not_degrade_the_findings_on_another() {
    for words in ["flood", "quiet-flood"] {
        let recording = Recording::start("flood");
        let played = play(words).unwrap();
        let report = recording.finish();
        let mut checks = Checks::default();
        checks.about(words);
        let found = played.found(&report, true);
        println!("finding\t{}\t{words}\t{}", series(), cell(&found, &[]));
        checks.same("the findings", found, played.expected.clone());
        checks.same("uncertain findings", played.found(&report, false), Vec::new());
        let loss = &report.document["loss"];
        println!(
            "{words}: loss {loss}, suppressed {}",
            report.document["suppressed"]
        );
        checks.same("lost records", number(&loss["ring_full"]), 0);
        let suppressed = report.document["suppressed"].as_array().unwrap();
        let pids: Vec<_> = suppressed.iter().map(|total| number(&total["pid"])).collect();
        checks.same(
            "processes with suppressed changes",
            pids,
            vec![played.flooder.unwrap()],
        );
        let sum: u64 = suppressed.iter().map(|total| number(&total["changes"])).sum();
        checks.holds(sum > 0, "changes are suppressed");
        checks.same(
            "suppressed changes by process",
            sum,
            number(&loss["changes_suppressed"]),
        );
        checks.conclude();
    }
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

/// Four threads write-protect ten thousand times while two threads write. Each write protection that changed a page is
/// a flush window. The faults in these windows are compared with the kernel's own count of pending flushes.
#[test]
fn every_window_of_a_storm_is_counted() {
    const NAME: &str = "every_window_of_a_storm_is_counted";
    // The processes of the storm pin nothing.
    let recording = Recording::start_with("storm", &["--all-windows"]);
    let played = play("uffd-wp-storm");
    let report = recording.finish();
    let played = match played {
        Ok(played) => played,
        Err(why) => return skipped(NAME, &why),
    };
    let mut checks = Checks::default();
    checks.about("uffd-wp-storm");
    checks.same("the findings", played.found(&report, true), Vec::new());
    let expected = played.windows["uffd_wp"];
    checks.same("windows expected", expected, 10_000);
    // The end of a window is missed if the kernel skips both the primary and the backup program, or if a kretprobe is
    // used (5.10) and has no free instance: it has as many instances as CPUs. Each missed window is counted.
    let missed = number(&report.document["loss"]["window_missed"]);
    let skipped = number(&report.document["loss"]["mm_event_missed"]);
    println!("windows: {expected} expected, {missed} missed; {skipped} calls skipped");
    checks.same(
        "windows counted",
        played.counted(&report, "uffd_wp") + missed,
        expected,
    );
    if kernel_at_least(5, 19) && !is_preemptible() {
        checks.same("windows missed", missed, 0);
    }
    checks.holds(missed * 50 <= expected, "at most one window in 50 missed");
    let check = &report.document["flush_check"];
    let [agreed, covered, pending] =
        ["agreed", "covered_only", "pending_only"].map(|key| number(&check[key]));
    println!("flush check: agreed {agreed}, covered only {covered}, pending only {pending}");
    // A window of pintrace opens before the kernel counts a pending flush and closes after it, so it may cover more
    // faults.
    checks.holds(
        covered * 20 <= agreed + pending + 20,
        "few faults covered only by windows of pintrace",
    );
    for (reason, count) in report.document["loss"].as_object().unwrap() {
        let passed = ["name_unread", "mm_event_missed", "window_missed"].contains(&reason.as_str());
        checks.same(&format!("loss.{reason}"), passed || number(count) == 0, true);
    }
    checks.conclude();
}
