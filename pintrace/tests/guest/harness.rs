//! Common parts of the tests: waiting, checks that are reported together, reports of pintrace, pinload as a process.
//!
//! Tests wait for conditions, never for a fixed time. Each wait has a bound.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sums;

/// Bound of a wait. Under emulation, attaching alone takes seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Time between two checks of an awaited condition.
pub(crate) const STEP: Duration = Duration::from_millis(20);
/// Bytes of a small page.
pub(crate) const PAGE: u64 = 4096;
/// Bytes of a huge page.
pub(crate) const HUGE: u64 = 2 << 20;

/// Waits until `ready` returns a value. Fails after [`PATIENCE`], with a message that contains `what`.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, ready: impl FnMut() -> Option<T>) -> T {
    wait_for_within(PATIENCE, what, ready)
}

/// Waits until `ready` returns a value, and panics after `limit`.
pub(crate) fn wait_for_within<T>(limit: Duration, what: &str, ready: impl FnMut() -> Option<T>) -> T {
    wait_within(limit, ready).unwrap_or_else(|| panic!("waited {limit:?} for {what}"))
}

/// Waits until `ready` returns a value. Returns `None` after `limit`.
pub(crate) fn wait_within<T>(limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let value = ready();
        if value.is_some() || start.elapsed() > limit {
            return value;
        }
        thread::sleep(STEP);
    }
}

/// Prints that a whole test was skipped. `cargo xtask test` counts these lines.
pub(crate) fn skipped(name: &str, why: &dyn Display) {
    println!("skipped: {name}: {why}");
}

/// Prints that a test left out a part and ran the rest. Such a test counts as passed.
pub(crate) fn left_out(part: &str, why: &dyn Display) {
    println!("left out: {part}: {why}");
}

/// Returns true if the release of the running kernel is at least `major.minor`.
pub(crate) fn kernel_at_least(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse::<u32>().unwrap());
    let running = (numbers.next().unwrap(), numbers.next().unwrap());
    running >= (major, minor)
}

/// Returns true if the kernel can preempt a thread in kernel code.
pub(crate) fn is_preemptible() -> bool {
    match fs::read_to_string("/sys/kernel/debug/sched/preempt") {
        Ok(models) => !models.contains("(none)") && !models.contains("(voluntary)"),
        // Without a changeable preemption model, as in 5.10, the version contains the model.
        Err(_) => fs::read_to_string("/proc/version").unwrap().contains("PREEMPT"),
    }
}

/// The checks of a test. A failed check does not end the test; [`Checks::conclude`] reports all failed checks.
#[derive(Default)]
pub(crate) struct Checks {
    context: String,
    failed: Vec<String>,
}

impl Checks {
    /// Sets the context, which the messages of the next checks contain.
    pub(crate) fn about(&mut self, context: impl Into<String>) {
        self.context = context.into();
    }

    /// Checks that two values are equal.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers compute the values at the call"
    )]
    pub(crate) fn same<T: PartialEq + Debug>(&mut self, what: &str, actual: T, expected: T) {
        if actual != expected {
            let context = &self.context;
            self.failed
                .push(format!("{context}: {what} is {actual:?}, not {expected:?}"));
        }
    }

    /// Checks that a claim is true.
    pub(crate) fn holds(&mut self, claim: bool, what: &str) {
        self.same(what, claim, true);
    }

    /// Fails the test if a check has failed.
    pub(crate) fn conclude(self) {
        assert!(
            self.failed.is_empty(),
            "{} checks failed:\n{}",
            self.failed.len(),
            self.failed.join("\n")
        );
    }
}

/// The JSON output of `report` or `top --once`.
pub(crate) struct Report {
    pub(crate) document: Value,
}

impl Report {
    /// Returns the report of a recording.
    pub(crate) fn of(file: &Path) -> Self {
        let mut command = Command::new("pintrace");
        Self::from_output(command.arg("report").arg(file).arg("--json"))
    }

    /// Runs a command and returns the report that it prints.
    pub(crate) fn from_output(command: &mut Command) -> Self {
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        Self::new(document)
    }

    /// Parses the output of `report --json`.
    pub(crate) fn from_json(text: &str) -> Self {
        Self::new(serde_json::from_str(text).unwrap())
    }

    /// Returns the report of a document. Fails if its sums disagree.
    pub(crate) fn new(document: Value) -> Self {
        assert_sums_agree(&document);
        Self { document }
    }

    /// Returns a figure of `balance`.
    pub(crate) fn balance(&self, key: &str) -> i64 {
        self.document["balance"][key]
            .as_i64()
            .unwrap_or_else(|| panic!("no balance.{key}"))
    }

    /// Returns all processes.
    pub(crate) fn processes(&self) -> &[Value] {
        self.document["processes"].as_array().unwrap()
    }

    /// Returns the last process with an id; `Null` if the process has not pinned.
    pub(crate) fn process(&self, pid: u64) -> &Value {
        let mut processes = self.processes().iter();
        processes
            .rfind(|process| process["pid"] == pid)
            .unwrap_or(&Value::Null)
    }

    /// Returns a figure of a process; 0 if the process has not pinned.
    pub(crate) fn figure(&self, pid: u64, key: &str) -> u64 {
        self.process(pid)[key].as_u64().unwrap_or(0)
    }

    /// Returns the pages acquired, by thread.
    pub(crate) fn acquired_by_thread(&self) -> BTreeMap<u64, u64> {
        let threads = self.processes().iter();
        threads
            .flat_map(|process| process["threads"].as_array().unwrap())
            .map(|thread| (number(&thread["tid"]), number(&thread["acquired"])))
            .collect()
    }

    /// Checks the sums that must agree at each moment without a pin call in progress.
    pub(crate) fn check(&self, checks: &mut Checks) {
        self.check_held(checks);
        let pinned =
            self.balance("ledger_acquired") + self.balance("gup_retry") - self.balance("not_in_vmstat");
        checks.same("balance.vmstat_acquired", self.balance("vmstat_acquired"), pinned);
        let released = self.balance("ledger_released")
            + self.balance("gup_retry")
            + self.balance("preexisting_released")
            + self.balance("lost_pin_released");
        checks.same(
            "balance.vmstat_released",
            self.balance("vmstat_released"),
            released,
        );
        self.check_loss(checks);
        for (total, key) in [
            ("acquired", "acquired"),
            ("released", "released"),
            ("held", "pages_held"),
        ] {
            self.check_sum(checks, key, self.balance(&format!("ledger_{total}")));
        }
    }

    /// Checks the pages held, which agree also after a loss that was corrected.
    pub(crate) fn check_held(&self, checks: &mut Checks) {
        checks.same("balance.unaccounted", self.balance("unaccounted"), 0);
        let held = self.balance("ledger_held") + self.balance("preexisting_held");
        checks.same("balance.vmstat_held", self.balance("vmstat_held"), held);
        checks.same("unapplied_events", number(&self.document["unapplied_events"]), 0);
        self.check_sum(checks, "pages_held", self.balance("ledger_held"));
    }

    /// Checks a figure summed over processes and over subsystems.
    fn check_sum(&self, checks: &mut Checks, key: &str, mut total: i64) {
        // Attributed preexisting pins count as held pages of a process, and their releases not as its releases.
        if key == "pages_held" {
            total += self.balance("preexisting_attributed");
        }
        checks.same(&format!("the processes' {key}"), self.sum(key), total);
        let subsystems = self.document["subsystems"].as_object().unwrap().values();
        let sum: u64 = subsystems.map(|subsystem| number(&subsystem[key])).sum();
        checks.same(
            &format!("the subsystems' {key}"),
            i64::try_from(sum).unwrap(),
            total,
        );
    }

    /// Checks that nothing was lost that makes a figure wrong.
    pub(crate) fn check_loss(&self, checks: &mut Checks) {
        for (reason, count) in self.document["loss"].as_object().unwrap() {
            // A short-lived process may end before its command line is read. Its pins and its command name are known.
            if reason == "name_unread" {
                continue;
            }
            // The kernel skips the stack program for a thread while a preempted thread is inside the program. The
            // caller gives the subsystem then, and all figures stay exact.
            if reason == "stack_lost" && is_preemptible() {
                continue;
            }
            // The kernel may skip both the primary and the backup of a finding program. All figures of pins stay exact.
            if (reason == "mm_event_missed" || reason == "calls_missed") && is_preemptible() {
                continue;
            }
            // Before 5.12 the filter of an mm has a lock. An emulated CPU may be paused while it holds the lock, and the
            // other CPU gives up. All figures of pins stay exact.
            if reason == "mm_event_table_full" && !kernel_at_least(5, 12) {
                continue;
            }
            checks.same(&format!("loss.{reason}"), number(count), 0);
        }
    }

    fn sum(&self, key: &str) -> i64 {
        // Acquired and released pages are unknown for pins that only a scan found.
        let figures = self.processes().iter().map(|process| process[key].as_u64());
        let sum: u64 = figures.map(Option::unwrap_or_default).sum();
        i64::try_from(sum).unwrap()
    }
}

/// Fails if the sums over processes, over subsystems and of the ledger disagree in the JSON of `report` or `top`. Every such
/// document that a test reads passes through here.
pub(crate) fn assert_sums_agree(document: &Value) {
    let found = sums::disagreements(document);
    assert!(
        found.is_empty(),
        "the sums of a document disagree: {found:?}\n{document}"
    );
}

/// Returns a JSON number. Fails if the value is no number.
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Returns the number of a JSON string such as "0x7f00". Fails if the value is none.
pub(crate) fn hexadecimal(value: &Value) -> u64 {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.unwrap_or_else(|| panic!("{value} is no hexadecimal number"))
}

/// A pinload process that pins and then waits for input at each of its gates.
pub(crate) struct Pinload {
    process: Child,
    /// A line passes one gate; the end of the input passes all gates.
    stdin: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
}

/// The result of starting pinload.
pub(crate) enum Started {
    /// Pinload holds pins. There is one `ready` line for each holder, or the line of a checkpoint.
    Ready(Pinload, Vec<Value>),
    /// This kernel does not offer the kind of pin. The value is the reason.
    Unavailable(String),
}

impl Pinload {
    /// Starts pinload and waits until `holders` holders hold pins.
    pub(crate) fn start(words: &str, holders: usize) -> Started {
        Self::start_by("pinload", words, holders)
    }

    /// Like [`Self::start`], with the command line `program` instead of `pinload`.
    pub(crate) fn start_by(program: &str, words: &str, holders: usize) -> Started {
        let words = format!("{words} --hold-until-stdin");
        Self::spawn(program, &words).read(&words, "ready", holders)
    }

    /// Starts pinload and waits until pinload is at its first checkpoint.
    pub(crate) fn at_checkpoint(words: &str) -> Started {
        Self::at_first(words, "checkpoint")
    }

    /// Starts pinload and waits for its first line, which has this event.
    pub(crate) fn at_first(words: &str, event: &str) -> Started {
        Self::spawn("pinload", words).read(words, event, 1)
    }

    fn spawn(program: &str, words: &str) -> Self {
        let mut program = program.split(' ');
        let mut process = Command::new(program.next().unwrap())
            .args(program)
            .args(words.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            stdin,
            lines,
        }
    }

    /// Reads the first lines, each with this event.
    fn read(mut self, words: &str, event: &str, count: usize) -> Started {
        let mut read = Vec::new();
        while read.len() < count {
            let line = self.line().unwrap_or_else(|| panic!("pinload {words} ended"));
            match line["event"].as_str().unwrap() {
                other if other == event => read.push(line),
                "error" if line["code"] == 3 => {
                    self.process.wait().unwrap();
                    return Started::Unavailable(line["what"].as_str().unwrap().to_owned());
                }
                _ => panic!("pinload {words}: {line}"),
            }
        }
        Started::Ready(self, read)
    }

    /// Like [`Self::start`], for kinds of pins that every tested kernel offers.
    pub(crate) fn hold(words: &str, holders: usize) -> (Self, Vec<Value>) {
        match Self::start(words, holders) {
            Started::Ready(pinload, ready) => (pinload, ready),
            Started::Unavailable(why) => panic!("pinload {words}: {why}"),
        }
    }

    /// Returns the next line; `None` at the end of the output.
    pub(crate) fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    /// Lets pinload pass one gate.
    pub(crate) fn pass_gate(&mut self) {
        self.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// Kills pinload while it holds pins.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Lets pinload pass all gates, waits for its end, and returns its last line.
    pub(crate) fn last_line(mut self) -> Value {
        drop(self.stdin.take());
        let last = std::iter::from_fn(|| self.line()).last().unwrap_or_default();
        self.process.wait().unwrap();
        last
    }

    /// Lets pinload pass all gates and waits for its end.
    pub(crate) fn end(mut self) -> ExitStatus {
        drop(self.stdin.take());
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        self.process.wait().unwrap()
    }
}

impl Drop for Pinload {
    fn drop(&mut self) {
        if self.stdin.take().is_some() {
            // An error means that the process has ended already.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// Returns an expected number of pins in a line of pinload; `None` if pinload does not know the number.
pub(crate) fn expected(line: &Value, key: &str) -> Option<u64> {
    line["expected_pins"][key].as_u64()
}
