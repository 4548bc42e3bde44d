//! Common parts of the robustness tests: the kernel's BPF objects before and after, and pintrace as a process.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aya::maps::loaded_maps;
use aya::programs::{loaded_links, loaded_programs};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{PATIENCE, assert_sums_agree, wait_for, wait_within};
use crate::recording::end_idle;

/// Time in which the kernel frees programs and maps, after grace periods, in workers.
const FREED_WITHIN: Duration = Duration::from_secs(15);

/// Returns a path below /tmp that no other test uses.
pub(crate) fn path(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(format!("/tmp/robust-{number}-{name}"))
}

/// Returns all BPF programs, maps and links of the kernel, the traced functions, and the pinned objects of the BPF file
/// system.
fn objects() -> BTreeSet<String> {
    let programs = loaded_programs()
        .flatten()
        .map(|info| format!("program {} {}", info.id(), info.name_as_str().unwrap_or_default()));
    let maps = loaded_maps()
        .flatten()
        .map(|info| format!("map {} {}", info.id(), info.name_as_str().unwrap_or_default()));
    let links = loaded_links().flatten().map(|info| format!("link {}", info.id()));
    let traced = fs::read_to_string("/sys/kernel/tracing/enabled_functions").unwrap_or_default();
    let traced = traced
        .lines()
        .filter(|line| !line.starts_with('\t') && !line.starts_with(' '))
        .filter_map(|line| {
            line.split_whitespace()
                .next()
                .map(|name| format!("function {name}"))
        })
        .collect::<Vec<_>>();
    let pinned = fs::read_dir("/sys/fs/bpf").into_iter().flatten().flatten();
    let pinned = pinned.map(|entry| format!("pinned {}", entry.path().display()));
    programs
        .chain(maps)
        .chain(links)
        .chain(traced)
        .chain(pinned)
        // Programs of systemd, which come and go with its units.
        .filter(|object| !object.contains(" sd_"))
        .collect()
}

/// The BPF objects of the kernel before the start of pintrace.
pub(crate) struct Before(BTreeSet<String>);

impl Before {
    /// Lists the objects now.
    pub(crate) fn now() -> Self {
        Self(objects())
    }

    fn added(&self) -> Vec<String> {
        objects().difference(&self.0).cloned().collect()
    }

    /// Waits until pintrace has loaded and attached its last program.
    pub(crate) fn wait_for_probes(&self) {
        wait_for("the probes", || {
            let added = self.added();
            let last = added.iter().position(|object| object.ends_with(" process_exit"));
            let attached = last.is_some() && added.iter().any(|object| object.starts_with("link "));
            attached.then_some(())
        });
    }

    /// Returns true if a program was added.
    pub(crate) fn has_program(&self) -> bool {
        self.added().iter().any(|object| object.starts_with("program "))
    }

    /// Checks that pintrace has added objects. Without this check, [`Self::assert_nothing_is_left`] proves nothing.
    pub(crate) fn assert_something_is_there(&self) {
        let added = self.added();
        for kind in ["program ", "map ", "link ", "function "] {
            assert!(
                added.iter().any(|object| object.starts_with(kind)),
                "no {kind}in {added:?}"
            );
        }
    }

    /// Checks that all probes are detached, while pintrace may still run.
    pub(crate) fn assert_nothing_is_left_of_the_probes(&self) {
        let attached = || {
            let mut added = self.added();
            added.retain(|object| object.starts_with("link ") || object.starts_with("function "));
            added
        };
        let detached = wait_within(FREED_WITHIN, || attached().is_empty().then_some(()));
        assert!(detached.is_some(), "still attached: {:?}", attached());
    }

    /// Checks that no added object is left.
    pub(crate) fn assert_nothing_is_left(&self) {
        let freed = wait_within(FREED_WITHIN, || self.added().is_empty().then_some(()));
        assert!(freed.is_some(), "left behind: {:?}", self.added());
    }
}

/// A running pintrace, with its output in files.
pub(crate) struct Running {
    child: Child,
    out: PathBuf,
    errors: PathBuf,
}

/// The exit code and the output of a process.
pub(crate) struct Ended {
    /// Exit code, or 128 and the signal.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Running {
    /// Starts pintrace.
    pub(crate) fn start(words: &[&str]) -> Self {
        Self::start_with(Command::new("pintrace").args(words))
    }

    /// Starts a command.
    pub(crate) fn start_with(command: &mut Command) -> Self {
        end_idle();
        let (out, errors) = (path("out"), path("errors"));
        let file = |path: &Path| Stdio::from(File::create(path).unwrap());
        command
            .stdin(Stdio::null())
            .stdout(file(&out))
            .stderr(file(&errors));
        Self {
            child: command.spawn().unwrap(),
            out,
            errors,
        }
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the standard output so far.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    /// Returns the standard error so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    /// Waits until the standard error contains `what`.
    pub(crate) fn wait_for_stderr(&self, what: &str) {
        wait_for(what, || self.stderr().contains(what).then_some(()));
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) fn end(mut self) -> Ended {
        let status = wait_within(PATIENCE, || self.child.try_wait().unwrap());
        let status = status.unwrap_or_else(|| panic!("pintrace does not end: {}", self.stderr()));
        Ended {
            code: code(status),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The process still runs only if the test has failed.
        if let Ok(None) = self.child.try_wait() {
            kill_all(children(self.child.id()));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills processes with all their children, so that a failed test does not disturb other tests.
pub(crate) fn kill_all(processes: Vec<u32>) {
    for process in processes {
        kill_all(children(process));
        if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap()
}

/// Runs pintrace to its end.
pub(crate) fn pintrace(words: &[&str]) -> Ended {
    Running::start(words).end()
}

/// Runs pintrace to its end, checks that the exit code is 0, and parses the output.
pub(crate) fn json_of(words: &[&str]) -> Value {
    let ended = pintrace(words);
    assert_eq!(ended.code, 0, "{words:?}: {}", ended.stderr);
    document(&ended.stdout)
}

/// Parses a JSON document. A document with a balance has the sums of a report.
pub(crate) fn document(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap();
    if document.get("balance").is_some() && document.get("subsystems").is_some() {
        assert_sums_agree(&document);
    }
    document
}

/// Returns the report of a recording.
pub(crate) fn report(file: &Path) -> Value {
    json_of(&["report", "--json", file.to_str().unwrap()])
}

/// Returns the children of a process.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let after_name = stat.rsplit_once(") ")?.1;
            (after_name.split(' ').nth(1)?.parse() == Ok(parent)).then_some(pid)
        })
        .collect()
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}
