//! Cases in which the ledger could differ from vmstat: preexisting pins, pins during attaching, pages that the kernel
//! migrates first, a busy machine. The kernel's own histograms are a second source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Checks, Pinload, Report, Started, kernel_at_least, left_out, number, skipped};
use crate::hugetlb::Folding;
use crate::recording::{Recording, end_idle};

#[test]
fn preexisting_pins_and_their_releases_are_attributed() {
    end_idle();
    let (pinload, ready) = Pinload::hold("io-uring --pages 64", 1);
    let mut checks = Checks::default();
    checks.about("top");
    let top = Report::from_output(Command::new("pintrace").args([
        "top",
        "--once",
        "--json",
        "--interval",
        "200ms",
    ]));
    top.check(&mut checks);
    checks.same("preexisting_held", top.balance("preexisting_held"), 64);
    checks.same("ledger_acquired", top.balance("ledger_acquired"), 0);

    checks.about("held since before the recording");
    let recording = Recording::of_ledger("preexisting");
    let report = recording.settled();
    report.check(&mut checks);
    checks.same("preexisting_held", report.balance("preexisting_held"), 64);
    checks.same("preexisting_released", report.balance("preexisting_released"), 0);
    checks.same(
        "preexisting_attributed",
        report.balance("preexisting_attributed"),
        64,
    );
    let preexisting = number(&ready[0]["pid"]);
    let shown = |checks: &mut Checks, report: &Report, pages: u64| {
        let process = report.process(preexisting);
        checks.same("pages_held", &process["pages_held"], &json!(pages));
        checks.same("mode", &process["mode"], &json!("scan"));
        checks.same("comm", &process["comm"], &json!("pinload"));
        checks.same(
            "subsystems",
            &process["subsystems"],
            &json!({ "io_uring": pages }),
        );
        checks.same("acquired, which is unknown", &process["acquired"], &Value::Null);
    };
    shown(&mut checks, &report, 64);

    checks.about("a newer pin");
    let (newer, ready_newer) = Pinload::hold("io-uring --pages 32", 1);
    let report = recording.settled();
    report.check(&mut checks);
    checks.same("ledger_held", report.balance("ledger_held"), 32);
    checks.same(
        "pages_held",
        report.figure(number(&ready_newer[0]["pid"]), "pages_held"),
        32,
    );

    checks.about("the preexisting pins released");
    pinload.end();
    let report = recording.once("the release", |report| report.balance("preexisting_held") == 0);
    report.check(&mut checks);
    checks.same("preexisting_released", report.balance("preexisting_released"), 64);
    checks.same("ledger_held", report.balance("ledger_held"), 32);
    shown(&mut checks, &report, 0);
    newer.end();
    recording.finish().check(&mut checks);
    checks.conclude();
}

/// Limited by the number of descriptors of the test program.
const MOST_HOLDERS: usize = 200;

#[test]
fn pins_taken_during_attaching_are_counted_once() {
    end_idle();
    let mut checks = Checks::default();
    let mut top = Command::new("pintrace")
        // With the finding hooks, attaching takes long enough to start more holders than there are descriptors.
        .args(["top", "--once", "--json", "--interval", "1s", "--no-findings"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut holders = BTreeMap::new();
    while top.try_wait().unwrap().is_none() {
        if holders.len() == MOST_HOLDERS {
            break;
        }
        let (pinload, ready) = Pinload::hold("io-uring --pages 16", 1);
        holders.insert(number(&ready[0]["pid"]), pinload);
    }
    let document = serde_json::from_reader(top.stdout.take().unwrap()).unwrap();
    top.wait().unwrap();
    let report = Report { document };
    report.check(&mut checks);
    let (preexisting, newer) = (report.balance("preexisting_held"), report.balance("ledger_held"));
    println!(
        "{} holders; {preexisting} pages pinned before the start, {newer} pages after it",
        holders.len()
    );
    checks.holds(preexisting > 0 && newer > 0, "pins on both sides of the start");
    checks.same(
        "pages beyond whole holders",
        (preexisting % 16, newer % 16),
        (0, 0),
    );
    checks.holds(
        preexisting + newer <= 16 * i64::try_from(holders.len()).unwrap(),
        "no more pages than were pinned",
    );
    for process in report
        .processes()
        .iter()
        .filter(|process| process["pages_held"] != 0)
    {
        checks.holds(
            holders.contains_key(&number(&process["pid"])),
            "a holder of this test",
        );
        checks.same("pages_held", number(&process["pages_held"]), 16);
    }
    checks.conclude();
}

/// Pages that the largest call of `pinload demo` pins or releases.
const DEMO_CALL: u64 = 1024;

/// On a preemptible kernel a thread may be preempted inside a BPF program. The kernel skips calls of the same program
/// on that CPU meanwhile, and counts the skipped calls. The figures may lack these calls and no others.
#[test]
fn a_busy_machine_adds_up_or_the_skipped_calls_are_counted() {
    let recording = Recording::of_ledger("busy");
    let mut checks = Checks::default();
    // `preexisting_held` is not compared: the release of a pin of a skipped call looks like the release of a
    // preexisting pin.
    let before = recording.settled().balance("vmstat_held");
    let mut demo = Command::new("pinload")
        .args(["demo", "--quiet", "--duration", "2m"])
        .spawn()
        .unwrap();
    let start = Instant::now();
    let mut samples = 0;
    // At least five samples on a slow machine, at least eight seconds on a fast machine.
    while samples < 5 || start.elapsed() < Duration::from_secs(8) {
        assert!(demo.try_wait().unwrap().is_none(), "the demo has ended");
        let report = recording.settled();
        samples += 1;
        checks.about(format!("sample {samples}"));
        // A call that has pinned may not return while its thread waits for a CPU. The next sample has such a call.
        if is_explained(&report) {
            explained(&report, &mut checks);
        } else {
            explained(&recording.settled(), &mut checks);
        }
    }
    kill_process(Pid::from_child(&demo), Signal::INT).unwrap();
    demo.wait().unwrap();
    checks.about("afterwards");
    let report = recording.once("everything to be released", |report| {
        report.balance("vmstat_held") == before
    });
    let skipped = explained(&report, &mut checks);
    println!("the kernel skipped {skipped} calls, which were counted");
    checks.holds(report.processes().len() > 2, "several processes");
    let end = recording.finish();
    if explained(&end, &mut checks) == 0 {
        end.check(&mut checks);
    }
    checks.conclude();
}

/// Checks that only skipped calls were lost, and that the skipped calls explain the unaccounted pages. Returns the
/// number of skipped calls.
fn explained(report: &Report, checks: &mut Checks) -> u64 {
    let mut skipped = 0;
    for (reason, count) in report.document["loss"].as_object().unwrap() {
        match reason.as_str() {
            "recursion_missed" => skipped = number(count),
            // Skipped calls of stack programs and finding programs make no page figure wrong.
            "name_unread" | "stack_lost" | "mm_event_missed" => {}
            _ => checks.same(reason, number(count), 0),
        }
    }
    checks.holds(
        is_explained(report),
        "skipped calls explain the unaccounted pages",
    );
    skipped
}

fn is_explained(report: &Report) -> bool {
    let skipped = number(&report.document["loss"]["recursion_missed"]);
    report.balance("unaccounted").unsigned_abs() <= skipped * DEMO_CALL
}

#[test]
fn pages_that_the_kernel_migrates_before_a_long_term_pin_are_counted_as_gup_retry() {
    const NAME: &str = "pages_that_the_kernel_migrates_before_a_long_term_pin_are_counted_as_gup_retry";
    let movable = match Movable::make() {
        Ok(movable) => movable,
        Err(why) => return skipped(NAME, &why),
    };
    let recording = Recording::shared();
    let mut checks = Checks::default();
    let mut moved = 0;
    for words in [
        "io-uring --pages 64",
        "io-uring --pages 64 --untouched",
        "io-uring --pages 512 --backing thp --reserve",
        "io-uring --pages 512 --backing hugetlb --reserve",
        "af-xdp --pages 64",
        "udmabuf --pages 64",
        "io-uring --pages 4096 --buffers 4",
    ] {
        if words.contains("hugetlb") && !kernel_at_least(6, 12) {
            left_out(words, &"this kernel finds no other huge page to migrate to");
            continue;
        }
        let before = recording.settled();
        let (pinload, ready) = match Pinload::start(words, 1) {
            Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Started::Unavailable(why) => {
                left_out(words, &why);
                continue;
            }
        };
        checks.about(words);
        let report = recording.settled();
        report.check(&mut checks);
        let gup_retry = report.balance("gup_retry") - before.balance("gup_retry");
        println!("{words}: {gup_retry} pages were pinned and unpinned first");
        moved += gup_retry;
        let pid = number(&ready["pid"]);
        let all = report.document["pin_calls"].as_array().unwrap();
        let row = all.iter().find(|row| row["pid"] == pid).unwrap();
        let dropped = i64::try_from(number(&row["dropped_pages"])).unwrap();
        checks.same("dropped pages of the calls", dropped, gup_retry);
        checks.same("retried calls", number(&row["retried"]) != 0, gup_retry != 0);
        let wanted = number(&row["wanted_pages"]);
        checks.same(
            "pages that the kernel moved",
            number(&row["moved_pages"]),
            if gup_retry == 0 { 0 } else { wanted },
        );
        for (key, figure) in [
            ("held", "pages_held"),
            ("acquired", "acquired"),
            ("released", "released"),
        ] {
            checks.same(
                figure,
                report.figure(pid, figure),
                number(&ready["expected_pins"][key]),
            );
        }
        checks.holds(pinload.end().success(), "pinload's end");
        let report = recording.once(words, |report| report.figure(pid, "pages_held") == 0);
        report.check(&mut checks);
    }
    checks.about("afterwards");
    checks.same("the memory as before", movable.restore(), Ok(()));
    // 5.10 migrates only pages of CMA (`check_and_migrate_cma_pages`), and Debian's kernel has no CMA.
    checks.same("pages were migrated", moved > 0, kernel_at_least(5, 13));
    recording.finish().check(&mut checks);
    checks.conclude();
}

/// Memory blocks in the movable zone, from which the kernel migrates pages before a long-term pin.
struct Movable(Vec<PathBuf>);

impl Movable {
    /// Moves two memory blocks of the machine to the movable zone.
    fn make() -> Result<Self, String> {
        let folder = Path::new("/sys/devices/system/memory");
        let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let states = entries.map(|entry| entry.unwrap().path().join("state"));
        let mut movable = Self(Vec::new());
        let mut refusal = "no memory block can be taken offline".to_owned();
        for state in states.filter(|state| state.exists()) {
            if movable.0.len() == 2 {
                break;
            }
            if let Err(why) = switch(&state, "offline") {
                refusal = why;
                continue;
            }
            movable.0.push(state.clone());
            switch(&state, "online_movable")?;
        }
        if movable.0.is_empty() {
            Err(refusal)
        } else {
            Ok(movable)
        }
    }
}

impl Movable {
    /// Takes the blocks out of the movable zone. With a movable zone, the kernel would migrate pages in later tests too.
    fn restore(mut self) -> Result<(), String> {
        let blocks = std::mem::take(&mut self.0);
        blocks.iter().try_for_each(|state| restore(state))
    }
}

impl Drop for Movable {
    fn drop(&mut self) {
        for state in &self.0 {
            // The test has failed already.
            let _ = restore(state);
        }
    }
}

/// Takes a block out of the movable zone. The kernel first moves all pages in use to other blocks.
fn restore(state: &Path) -> Result<(), String> {
    const ATTEMPTS: usize = 9;
    let mut refusal = Ok(());
    for _ in 0..ATTEMPTS {
        // Not every page of the page cache can be moved.
        fs::write("/proc/sys/vm/drop_caches", "3").map_err(|error| error.to_string())?;
        refusal = switch(state, "offline");
        if refusal.is_ok() {
            return switch(state, "online_kernel").or_else(|_| switch(state, "online"));
        }
    }
    refusal
}

/// Sets the state of a memory block. The kernel tries to empty the block until a signal arrives (`offline_pages`,
/// mm/memory_hotplug.c), so a child process with a timeout writes the state.
fn switch(block: &Path, state: &str) -> Result<(), String> {
    let script = r#"echo "$1" > "$0""#;
    let output = Command::new("timeout")
        .args(["20", "sh", "-c", script])
        .arg(block)
        .arg(state)
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {state}: {}: {said}", block.display(), output.status))
}

const TRACING: &str = "/sys/kernel/tracing";
/// The exported pin functions and the type of their return values.
pub(crate) const RETURNS: [(&str, &str); 6] = [
    ("pin_user_pages", "s64"),
    ("pin_user_pages_fast", "s32"),
    ("pin_user_pages_fast_only", "s32"),
    ("pin_user_pages_remote", "s64"),
    ("pin_user_pages_unlocked", "s64"),
    ("memfd_pin_folios", "s64"),
];

#[test]
fn the_kernels_kprobe_histograms_agree_for_each_thread() {
    const NAME: &str = "the_kernels_kprobe_histograms_agree_for_each_thread";
    // The recording comes first: a thread of its own takes test pins while it starts.
    let recording = Recording::of_ledger("histograms");
    let histograms = match Histograms::make() {
        Ok(histograms) => histograms,
        Err(why) => return skipped(NAME, &why),
    };
    let mut checks = Checks::default();
    for words in [
        "io-uring",
        "io-uring --backing thp --reserve",
        "io-uring --threads 3",
        "af-xdp",
        "process-vm --repeat 3",
        "direct-read --pages 512",
        "udmabuf",
    ] {
        let status = Command::new("pinload")
            .args(words.split(' '))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        checks.holds(matches!(status.code(), Some(0 | 3)), words);
    }
    let own = recording.pid();
    let report = recording.finish();
    report.check(&mut checks);
    let mut sums = histograms.sums();
    sums.remove(&own);
    checks.same("acquired by thread", report.acquired_by_thread(), sums);
    checks.holds(report.balance("ledger_acquired") > 0, "pins");
    checks.conclude();
}

/// Returns the kernel functions that can be traced.
pub(crate) fn traceable() -> BTreeSet<String> {
    let list = fs::read_to_string(format!("{TRACING}/available_filter_functions")).unwrap();
    let names = list.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// The hist trigger of each function.
const TRIGGER: &str = "hist:keys=common_pid:vals=pages if pages > 0";

/// Sums of the return values of the pin functions, by thread, in hist triggers of the kernel's tracing.
struct Histograms(Vec<&'static str>);

impl Histograms {
    fn make() -> Result<Self, String> {
        let traceable = traceable();
        let mut made = Self(Vec::new());
        for (function, width) in RETURNS {
            if !traceable.contains(function) {
                continue;
            }
            let probe = format!("r:source/{function} {function} pages=$retval:{width}\n");
            append(&format!("{TRACING}/kprobe_events"), &probe)?;
            made.0.push(function);
            let trigger = format!("{TRIGGER}\n");
            append(&format!("{TRACING}/events/source/{function}/trigger"), &trigger)?;
        }
        Ok(made)
    }

    fn sums(&self) -> BTreeMap<u64, u64> {
        let mut sums = BTreeMap::new();
        for function in &self.0 {
            let text = fs::read_to_string(format!("{TRACING}/events/source/{function}/hist")).unwrap();
            // { common_pid:        123 } hitcount:          1  pages:         64
            for line in text.lines().filter(|line| line.starts_with("{ common_pid:")) {
                let mut numbers = line
                    .split_whitespace()
                    .filter_map(|word| word.parse::<u64>().ok());
                let (thread, pages) = (numbers.next().unwrap(), numbers.next_back().unwrap());
                *sums.entry(thread).or_default() += pages;
            }
        }
        sums
    }
}

impl Drop for Histograms {
    fn drop(&mut self) {
        // A kretprobe that stays hides the callers of the pin functions from the tests that follow.
        let removals = self.0.iter().map(|function| {
            let file = format!("{TRACING}/events/source/{function}/trigger");
            // Some kernels want the trigger as they print it, with all defaults.
            let printed = fs::read_to_string(&file).unwrap_or_default();
            let printed = printed.lines().next().unwrap_or_default();
            let printed = printed.trim_end_matches(" [active]").to_owned();
            append(&file, &format!("!{TRIGGER}\n")).or_else(|_| append(&file, &format!("!{printed}\n")))?;
            append(
                &format!("{TRACING}/kprobe_events"),
                &format!("-:source/{function}\n"),
            )
        });
        for error in removals.filter_map(Result::err) {
            // 5.10 refuses to remove the trigger of one function.
            left_out("removal of a hist trigger", &error);
        }
    }
}

fn append(file: &str, text: &str) -> Result<(), String> {
    use std::io::Write;
    let open = fs::OpenOptions::new().append(true).open(file);
    open.and_then(|mut open| open.write_all(text.as_bytes()))
        .map_err(|error| format!("{file}: {error}"))
}

/// Preexisting pins on every kind of memory, and their releases one by one, are attributed to the right process.
#[test]
fn preexisting_pins_are_attributed_to_their_process_until_their_release() {
    let mut checks = Checks::default();
    let mut preexisting = Vec::new();
    // Some kernels cannot fold struct pages.
    let folding = Folding::set(true).ok();
    for (kind, backing) in [
        ("io-uring", "small"),
        ("af-xdp", "small"),
        ("io-uring", "thp"),
        ("af-xdp", "hugetlb"),
    ] {
        let words = format!("{kind} --backing {backing} --pages 48 --reserve");
        match Pinload::start(&words, 1) {
            Started::Ready(pinload, ready) => preexisting.push((words, pinload, ready[0].clone())),
            Started::Unavailable(why) => left_out(&words, &why),
        }
    }
    // The registering process is dead: the pins belong to the process that has the ring open.
    let words = "io-uring --shared-ring --release kill";
    let (mut pinload, ready) = Pinload::hold(words, 1);
    pinload.pass_gate();
    while pinload.line().is_some_and(|line| line["event"] != "outlived") {}
    let mut line = ready[0].clone();
    line["pid"] = line["ring_owner_pid"].clone();
    preexisting.push((words.to_owned(), pinload, line));
    let held = |line: &Value| number(&line["expected_pins"]["held"]);
    let recording = Recording::of_ledger("preexisting");
    let mut left: u64 = preexisting.iter().map(|(_, _, line)| held(line)).sum();
    for (words, pinload, line) in preexisting {
        let pid = number(&line["pid"]);
        checks.about(format!("{words}, held"));
        let report = recording.settled();
        report.check(&mut checks);
        checks.same(
            "preexisting_attributed",
            report.balance("preexisting_attributed"),
            i64::try_from(left).unwrap(),
        );
        checks.same(
            "preexisting_held",
            report.balance("preexisting_held"),
            i64::try_from(left).unwrap(),
        );
        checks.same("pages_held", report.figure(pid, "pages_held"), held(&line));
        checks.about(format!("{words}, released"));
        pinload.end();
        left -= held(&line);
        let report = recording.once("the release", |report| report.figure(pid, "pages_held") == 0);
        report.check(&mut checks);
        checks.same(
            "preexisting_held",
            report.balance("preexisting_held"),
            i64::try_from(left).unwrap(),
        );
    }
    let report = recording.finish();
    report.check(&mut checks);
    checks.same("reconciled", report.balance("reconciled"), 0);
    drop(folding);
    checks.conclude();
}
