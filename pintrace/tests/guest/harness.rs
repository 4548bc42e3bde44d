//! Running pinload in a guest, and reading what it and pintrace say.
//!
//! Nothing here waits for time to pass: every wait is for a condition, and has a bound.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything that goes well takes under emulation.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
pub(crate) const STEP: Duration = Duration::from_millis(20);
/// Bytes of a small page.
pub(crate) const PAGE: u64 = 4096;
/// Bytes of a huge page.
pub(crate) const HUGE: u64 = 2 << 20;

/// Waits until `look` gives something, within a bound.
pub(crate) fn eventually<T>(what: &dyn Display, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain: {what}");
        thread::sleep(STEP);
    }
}

/// Says that a test was not run; `xtask test` counts these lines.
pub(crate) fn skipped(name: &str, why: &dyn Display) {
    println!("skipped: {name}: {why}");
}

/// Whether the running kernel's release is at least this.
pub(crate) fn kernel_at_least(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse::<u32>().unwrap());
    let running = (numbers.next().unwrap(), numbers.next().unwrap());
    running >= (major, minor)
}

/// Whether threads can be taken off their CPU inside the kernel.
pub(crate) fn is_preemptible() -> bool {
    match fs::read_to_string("/sys/kernel/debug/sched/preempt") {
        Ok(models) => !models.contains("(none)") && !models.contains("(voluntary)"),
        // Where the model cannot be changed, as in 5.10, the version names it.
        Err(_) => fs::read_to_string("/proc/version").unwrap().contains("PREEMPT"),
    }
}

/// What was found not to be as it should; all of it is told at the end.
#[derive(Default)]
pub(crate) struct Findings {
    context: String,
    wrong: Vec<String>,
}

impl Findings {
    /// What the checks from now on are about.
    pub(crate) fn about(&mut self, context: impl Into<String>) {
        self.context = context.into();
    }

    /// Both must be the same.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "what is compared is computed at the call"
    )]
    pub(crate) fn same<T: PartialEq + Debug>(&mut self, what: &str, actual: T, expected: T) {
        if actual != expected {
            let context = &self.context;
            self.wrong
                .push(format!("{context}: {what} is {actual:?}, not {expected:?}"));
        }
    }

    /// It must be so.
    pub(crate) fn holds(&mut self, claim: bool, what: &str) {
        self.same(what, claim, true);
    }

    /// Fails if anything was wrong.
    pub(crate) fn conclude(self) {
        assert!(
            self.wrong.is_empty(),
            "{} findings:\n{}",
            self.wrong.len(),
            self.wrong.join("\n")
        );
    }
}

/// The JSON of `report` or `top --once`.
pub(crate) struct Report {
    pub(crate) document: Value,
}

impl Report {
    /// Of a recording.
    pub(crate) fn of(file: &Path) -> Self {
        let mut command = Command::new("pintrace");
        Self::from_output(command.arg("report").arg(file).arg("--json"))
    }

    /// Of a command that prints one.
    pub(crate) fn from_output(command: &mut Command) -> Self {
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        Self { document }
    }

    /// Of what `report --json` prints.
    pub(crate) fn from_json(text: &str) -> Self {
        let document = serde_json::from_str(text).unwrap();
        Self { document }
    }

    /// A figure of `truth`.
    pub(crate) fn balance(&self, key: &str) -> i64 {
        self.document["balance"][key]
            .as_i64()
            .unwrap_or_else(|| panic!("no balance.{key}"))
    }

    /// All processes.
    pub(crate) fn processes(&self) -> &[Value] {
        self.document["processes"].as_array().unwrap()
    }

    /// The last process of this id; `Null` if it has not pinned.
    pub(crate) fn process(&self, pid: u64) -> &Value {
        let mut processes = self.processes().iter();
        processes
            .rfind(|process| process["pid"] == pid)
            .unwrap_or(&Value::Null)
    }

    /// A figure of a process, 0 if it has not pinned.
    pub(crate) fn figure(&self, pid: u64, key: &str) -> u64 {
        self.process(pid)[key].as_u64().unwrap_or(0)
    }

    /// Pages acquired, by thread.
    pub(crate) fn acquired_by_thread(&self) -> BTreeMap<u64, u64> {
        let threads = self.processes().iter();
        threads
            .flat_map(|process| process["threads"].as_array().unwrap())
            .map(|thread| (number(&thread["tid"]), number(&thread["acquired"])))
            .collect()
    }

    /// What must hold at every moment at which nobody is in the middle of a pin.
    pub(crate) fn check(&self, findings: &mut Findings) {
        findings.same("balance.unaccounted", self.balance("unaccounted"), 0);
        let pinned =
            self.balance("ledger_acquired") + self.balance("gup_retry") - self.balance("not_in_vmstat");
        findings.same("balance.vmstat_acquired", self.balance("vmstat_acquired"), pinned);
        let released = self.balance("ledger_released")
            + self.balance("gup_retry")
            + self.balance("preexisting_released");
        findings.same(
            "balance.vmstat_released",
            self.balance("vmstat_released"),
            released,
        );
        let held = self.balance("ledger_held") + self.balance("preexisting_held");
        findings.same("balance.vmstat_held", self.balance("vmstat_held"), held);
        self.check_loss(findings);
        findings.same("unapplied_events", number(&self.document["unapplied_events"]), 0);
        for (total, key) in [
            ("acquired", "acquired"),
            ("released", "released"),
            ("held", "pages_held"),
        ] {
            let mut total = self.balance(&format!("ledger_{total}"));
            // Preexisting pins whose holder is known are shown with it, and their releases as those of preexisting pins.
            if key == "pages_held" {
                total += self.balance("preexisting_attributed");
            }
            findings.same(&format!("the processes' {key}"), self.sum(key), total);
            let subsystems = self.document["subsystems"].as_object().unwrap().values();
            let sum: u64 = subsystems.map(|subsystem| number(&subsystem[key])).sum();
            findings.same(
                &format!("the subsystems' {key}"),
                i64::try_from(sum).unwrap(),
                total,
            );
        }
    }

    /// Nothing that falsifies a figure may have been lost.
    pub(crate) fn check_loss(&self, findings: &mut Findings) {
        for (reason, count) in self.document["loss"].as_object().unwrap() {
            // A process that ends at once may be gone before its command line is read. What it pinned and its
            // command name are known all the same.
            if reason == "name_unread" {
                continue;
            }
            // Where a thread can be taken off its CPU inside the program that takes stacks, others go without. The
            // subsystem is known by the caller then, and every figure all the same.
            if reason == "stack_lost" && is_preemptible() {
                continue;
            }
            // So may both copies of a program that looks for findings be skipped; no figure of pins is short of it.
            if reason == "mm_event_missed" && is_preemptible() {
                continue;
            }
            findings.same(&format!("loss.{reason}"), number(count), 0);
        }
    }

    fn sum(&self, key: &str) -> i64 {
        // What came and went of pins that were only found in memory is not known.
        let figures = self.processes().iter().map(|process| process[key].as_u64());
        let sum: u64 = figures.map(Option::unwrap_or_default).sum();
        i64::try_from(sum).unwrap()
    }
}

/// A number that must be there.
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A pinload that holds until it is told to go on.
pub(crate) struct Pinload {
    process: Child,
    leash: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
}

/// What pinload said when it was to pin.
pub(crate) enum Began {
    /// It holds; one `ready` line for each holder.
    Ready(Pinload, Vec<Value>),
    /// This kernel does not offer it.
    Unavailable(String),
}

impl Pinload {
    /// Starts it and waits until `holders` hold.
    pub(crate) fn begin(words: &str, holders: usize) -> Began {
        Self::begin_by("pinload", words, holders)
    }

    /// As [`Self::begin`], started by another program's words.
    pub(crate) fn begin_by(program: &str, words: &str, holders: usize) -> Began {
        let mut program = program.split(' ');
        let mut process = Command::new(program.next().unwrap())
            .args(program)
            .args(words.split_whitespace())
            .arg("--hold-until-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let leash = process.stdin.take();
        let lines = BufReader::new(process.stdout.take().unwrap());
        let mut pinload = Self {
            process,
            leash,
            lines,
        };
        let mut ready = Vec::new();
        while ready.len() < holders {
            let line = pinload.line().unwrap_or_else(|| panic!("pinload {words} ended"));
            match line["event"].as_str().unwrap() {
                "ready" => ready.push(line),
                "error" if line["code"] == 3 => {
                    pinload.process.wait().unwrap();
                    return Began::Unavailable(line["what"].as_str().unwrap().to_owned());
                }
                _ => panic!("pinload {words}: {line}"),
            }
        }
        Began::Ready(pinload, ready)
    }

    /// As [`Self::begin`], for what every kernel here offers.
    pub(crate) fn hold(words: &str, holders: usize) -> (Self, Vec<Value>) {
        match Self::begin(words, holders) {
            Began::Ready(pinload, ready) => (pinload, ready),
            Began::Unavailable(why) => panic!("pinload {words}: {why}"),
        }
    }

    /// The next line; `None` at the end.
    pub(crate) fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    /// Lets it pass its gate once.
    pub(crate) fn go_on(&mut self) {
        self.leash.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// Kills it while it holds.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Lets it pass every gate, waits for its end, and gives its last line.
    pub(crate) fn last_line(mut self) -> Value {
        drop(self.leash.take());
        let last = std::iter::from_fn(|| self.line()).last().unwrap_or_default();
        self.process.wait().unwrap();
        last
    }

    /// Lets it pass every gate and waits for its end.
    pub(crate) fn end(mut self) -> ExitStatus {
        drop(self.leash.take());
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        self.process.wait().unwrap()
    }
}

impl Drop for Pinload {
    fn drop(&mut self) {
        if self.leash.take().is_some() {
            // The test has failed already, or the process has ended.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// What pinload expects in a line, `None` where it knows nothing.
pub(crate) fn expected(line: &Value, key: &str) -> Option<u64> {
    line["expected_pins"][key].as_u64()
}
