//! `pintrace record` during the workloads of a test. The recording is read while it grows.

use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

use pintrace_model::snapshot::Snapshot;

use crate::follow::Follower;
use crate::harness::{Report, number};

/// Sampling interval of a recording.
const INTERVAL: &str = "100ms";

/// Option for tests of the ledger, which need no finding hooks.
pub(crate) const NO_FINDINGS: &str = "--no-findings";

/// A running `pintrace record`.
pub(crate) struct Recording {
    /// `None` after the end of the process.
    process: Option<Child>,
    /// The end of this input ends the recording.
    stdin: Option<ChildStdin>,
    file: PathBuf,
    /// `None` after the end of the recording was read.
    follower: Option<Follower>,
}

impl Recording {
    /// Starts a recording and waits until all hooks are attached.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// Like [`Self::start`], without finding hooks: a recording with half the programs starts in half the time.
    pub(crate) fn of_ledger(name: &str) -> Self {
        Self::start_with(name, &[NO_FINDINGS])
    }

    /// Like [`Self::start`], with more options.
    pub(crate) fn start_with(name: &str, options: &[&str]) -> Self {
        end_idle();
        let file = Path::new("/tmp").join(name).with_extension("pintrace");
        // The follower would read an older file as the beginning of the new recording.
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
        let stdin = process.stdin.take();
        let follower = Follower::start(&file);
        follower.once(1, "the first tick", |_| true);
        Self {
            process: Some(process),
            stdin,
            file,
            follower: Some(follower),
        }
    }

    /// Returns the pid of pintrace, which pins one of its own pages before it counts.
    pub(crate) fn pid(&self) -> u64 {
        self.process.as_ref().map_or(0, |process| u64::from(process.id()))
    }

    /// Returns a report of samples that were all taken after the call.
    pub(crate) fn settled(&self) -> Report {
        self.once("the recording to grow", |_| true)
    }

    /// Waits until `claim` is true, then returns a report of samples taken after that.
    pub(crate) fn once(&self, what: &str, claim: impl Fn(&Report) -> bool) -> Report {
        let follower = self.follower.as_ref().unwrap();
        follower.once(0, what, claim);
        // On a busy machine a tick may be in the file that the follower has not read. The sampling of the tick after that may
        // have begun before this moment; the sampling of the next one has not.
        let tick = follower.ticks() + 3;
        follower.once(tick, what, |_| true)
    }

    /// Returns the state at the latest tick.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.follower.as_ref().unwrap().snapshot()
    }

    /// Ends the recording normally, and returns the report of the whole recording.
    pub(crate) fn finish(mut self) -> Report {
        drop(self.stdin.take());
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
            "the report while the recording grew, and the report of the file"
        );
        report
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if let Some(mut process) = self.process.take() {
            // The test has failed already, so the exit status is ignored.
            let _ = process.wait();
        }
    }
}

/// A recording that many tests use one after another, because starting a recording takes longer than most tests.
pub(crate) struct Shared {
    /// `None` after [`Shared::finish`].
    counted: Option<CountedRecording>,
}

struct CountedRecording {
    recording: Recording,
    /// Number of tests that have used the recording.
    tests: usize,
}

/// The shared recording while no test uses it.
static IDLE: Mutex<Option<CountedRecording>> = Mutex::new(None);
/// Limit of the tests per recording, so that an error of one test affects few others.
const MOST_TESTS: usize = 16;

impl Recording {
    /// Returns the recording that earlier tests have used, or starts one.
    pub(crate) fn shared() -> Shared {
        let idle = IDLE.lock().unwrap().take();
        let mut counted = idle.unwrap_or_else(|| CountedRecording {
            recording: Self::start("shared"),
            tests: 0,
        });
        counted.tests += 1;
        Shared {
            counted: Some(counted),
        }
    }
}

impl Shared {
    /// Returns the report at the end of a test.
    pub(crate) fn finish(mut self) -> Report {
        let counted = self.counted.take().unwrap();
        let report = counted.recording.settled();
        let mut losses = report.document["loss"].as_object().unwrap().iter();
        // Losses of one test must not be visible in the next test.
        let clean = losses.all(|(reason, count)| reason == "name_unread" || number(count) == 0);
        if counted.tests < MOST_TESTS && clean {
            *IDLE.lock().unwrap() = Some(counted);
            return report;
        }
        counted.recording.finish()
    }
}

/// Ends the shared recording, so that the next pintrace runs alone.
pub(crate) fn end_idle() {
    let idle = IDLE.lock().unwrap().take();
    if let Some(counted) = idle {
        counted.recording.finish();
    }
}

impl Deref for Shared {
    type Target = Recording;

    fn deref(&self) -> &Recording {
        &self.counted.as_ref().unwrap().recording
    }
}
