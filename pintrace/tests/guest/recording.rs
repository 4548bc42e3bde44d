//! `pintrace record` beside the workloads of a test, read while it grows.

use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

use crate::follow::Follower;
use crate::harness::{Report, number};

/// How often a recording samples.
const INTERVAL: &str = "100ms";

/// For tests of the ledger, which has hooks of its own.
pub(crate) const NO_FINDINGS: &str = "--no-findings";

/// `pintrace record` under way, while the test runs workloads beside it.
pub(crate) struct Recording {
    /// `None` once it has ended.
    process: Option<Child>,
    /// Its end ends the recording.
    leash: Option<ChildStdin>,
    file: PathBuf,
    /// `None` once it has been read to its end.
    follower: Option<Follower>,
}

impl Recording {
    /// Starts one; everything is attached when this returns.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// Starts one that keeps the ledger alone: with half as many programs, it starts in half the time.
    pub(crate) fn of_ledger(name: &str) -> Self {
        Self::start_with(name, &[NO_FINDINGS])
    }

    /// Starts one with more options.
    pub(crate) fn start_with(name: &str, options: &[&str]) -> Self {
        end_idle();
        let file = Path::new("/tmp").join(name).with_extension("pintrace");
        // An older one would be read for this one's beginning.
        let _ = fs::remove_file(&file);
        let mut process = Command::new("pintrace")
            .args(["record", "--force", "--interval", INTERVAL, "-o"])
            .arg(&file)
            .args(options)
            .args(["--", "sh", "-c", "echo attached; read line || true"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(file.with_extension("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let log = || fs::read_to_string(file.with_extension("log")).unwrap();
        assert_eq!(line, "attached\n", "pintrace record: {}", log());
        let leash = process.stdin.take();
        let follower = Follower::start(&file);
        follower.once(1, "the first tick", |_| true);
        Self {
            process: Some(process),
            leash,
            file,
            follower: Some(follower),
        }
    }

    /// pintrace itself, which pins a page of its own before it counts.
    pub(crate) fn pid(&self) -> u64 {
        self.process.as_ref().map_or(0, |process| u64::from(process.id()))
    }

    /// What was sampled after this call began.
    pub(crate) fn settled(&self) -> Report {
        self.once("the recording to grow", |_| true)
    }

    /// What is sampled once `claim` holds.
    pub(crate) fn once(&self, what: &str, claim: impl Fn(&Report) -> bool) -> Report {
        let follower = self.follower.as_ref().unwrap();
        follower.once(0, what, claim);
        // The first tick from now on may end what began to be sampled before; the next one cannot.
        let tick = follower.ticks() + 2;
        follower.once(tick, what, |_| true)
    }

    /// Ends it in order, and reads the whole of it.
    pub(crate) fn finish(mut self) -> Report {
        drop(self.leash.take());
        let status = self.process.take().unwrap().wait().unwrap();
        let followed = self.follower.take().unwrap().finish();
        let report = Report::of(&self.file);
        let log = fs::read_to_string(self.file.with_extension("log")).unwrap();
        assert!(
            status.success() && report.document["complete"].as_bool().unwrap(),
            "{status}: {log}"
        );
        assert_eq!(
            followed.document, report.document,
            "read while it grew, and at the end"
        );
        report
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        drop(self.leash.take());
        if let Some(mut process) = self.process.take() {
            // The test has failed already.
            let _ = process.wait();
        }
    }
}

/// A recording that many tests run beside, one after the other: to start one takes longer than what most of them do.
pub(crate) struct Shared {
    /// `None` once it has been handed back.
    lent: Option<Lent>,
}

struct Lent {
    recording: Recording,
    /// Tests that it was lent to.
    tests: usize,
}

/// Waits to be lent again.
static IDLE: Mutex<Option<Lent>> = Mutex::new(None);
/// So that what goes wrong beside one test has few others to spoil.
const MOST_TESTS: usize = 16;

impl Recording {
    /// The recording that other tests have used before, if all went well.
    pub(crate) fn shared() -> Shared {
        let idle = IDLE.lock().unwrap().take();
        let mut lent = idle.unwrap_or_else(|| Lent {
            recording: Self::start("shared"),
            tests: 0,
        });
        lent.tests += 1;
        Shared { lent: Some(lent) }
    }
}

impl Shared {
    /// What it shows at the end of a test.
    pub(crate) fn finish(mut self) -> Report {
        let lent = self.lent.take().unwrap();
        let report = lent.recording.settled();
        let mut losses = report.document["loss"].as_object().unwrap().iter();
        // What was lost beside one test is not to be seen beside another.
        let clean = losses.all(|(reason, count)| reason == "name_unread" || number(count) == 0);
        if lent.tests < MOST_TESTS && clean {
            *IDLE.lock().unwrap() = Some(lent);
            return report;
        }
        lent.recording.finish()
    }
}

/// Ends the recording that waits to be lent again, so that what comes now is alone.
pub(crate) fn end_idle() {
    let idle = IDLE.lock().unwrap().take();
    if let Some(lent) = idle {
        lent.recording.finish();
    }
}

impl Deref for Shared {
    type Target = Recording;

    fn deref(&self) -> &Recording {
        &self.lent.as_ref().unwrap().recording
    }
}
