//! Helpers to run pinload from a test: reading its JSON lines, and controlling it through standard input.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;

/// Tests that read the pin counters run exclusively, and all other tests run in parallel.
static PIN_COUNTERS: RwLock<()> = RwLock::new(());

/// Keeps other tests from pinning.
pub(crate) fn exclusive() -> RwLockWriteGuard<'static, ()> {
    PIN_COUNTERS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps other tests from reading the pin counters.
pub(crate) fn shared() -> RwLockReadGuard<'static, ()> {
    PIN_COUNTERS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Returns true if this process is root and can read the pin counters; else prints `skipped: `.
pub(crate) fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skipped("needs root");
    }
    root
}

/// Prints that the calling test was skipped. `cargo xtask test` counts these lines.
pub(crate) fn skipped(reason: &str) {
    let thread = std::thread::current();
    println!("skipped: {}: {reason}", thread.name().unwrap_or("pinload"));
}

/// Returns the command pinload with the words of `line` as arguments.
pub(crate) fn command(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinload"));
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command
}

/// Returns a path that no other test uses.
pub(crate) fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs pinload until it exits.
pub(crate) fn run(line: &str) -> (Output, Vec<Value>) {
    let output = command(line).output().unwrap();
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (output, lines)
}

/// A pinload that holds its pins until a line arrives on its standard input.
pub(crate) struct HoldingPinload {
    pub(crate) child: Child,
    input: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
}

impl HoldingPinload {
    /// Starts pinload; the caller reads its lines.
    pub(crate) fn start(line: &str) -> Self {
        let mut command = command(line);
        command
            .arg("--hold-until-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self {
            input: child.stdin.take(),
            child,
            lines,
        }
    }

    /// Reads the next line.
    pub(crate) fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    /// Reads the next line and checks its event.
    pub(crate) fn expect(&mut self, event: &str) -> Value {
        let value = self.line();
        assert_eq!(value["event"], event, "{value}");
        value
    }

    /// Writes a line to standard input, so that pinload continues after its next wait.
    pub(crate) fn resume(&mut self) {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// Closes standard input and waits for the exit of pinload.
    pub(crate) fn end(mut self) -> ExitStatus {
        drop(self.input.take());
        self.child.wait().unwrap()
    }
}

/// Returns true if a process exists and is not a zombie.
pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z') && !rest.starts_with('X'))
}

/// Returns the exact value of a counter of /proc/vmstat (root).
pub(crate) fn vmstat(name: &str) -> i64 {
    std::fs::write("/proc/sys/vm/stat_refresh", "1").unwrap();
    let text = std::fs::read_to_string("/proc/vmstat").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().parse().unwrap()
}

/// Waits up to five seconds until `condition` is true. Returns false after that time.
pub(crate) fn wait_for(condition: impl Fn() -> bool) -> bool {
    (0..500).any(|_| {
        let holds = condition();
        if !holds {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        holds
    })
}

/// Returns the process id in a line.
pub(crate) fn pid(line: &Value) -> i32 {
    i32::try_from(line["pid"].as_i64().unwrap()).unwrap()
}
