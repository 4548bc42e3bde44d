//! What the tests on robustness share: the kernel's BPF objects before and after, pintrace as a process that is watched,
//! and a pseudo-terminal for it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aya::maps::loaded_maps;
use aya::programs::{loaded_links, loaded_programs};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use serde_json::Value;

use crate::recording::end_idle;

/// An emulated machine is slow: attaching alone takes seconds.
const PATIENCE: Duration = Duration::from_secs(90);
/// The kernel frees programs and maps after grace periods, in workers.
const FREED_WITHIN: Duration = Duration::from_secs(15);

/// Waits until it holds, and tells what was awaited in vain.
pub(crate) fn wait_for(what: &str, holds: impl Fn() -> bool) {
    wait_within(PATIENCE, holds).unwrap_or_else(|()| panic!("waited in vain for {what}"));
}

fn wait_within(limit: Duration, holds: impl Fn() -> bool) -> Result<(), ()> {
    let start = Instant::now();
    while !holds() {
        if start.elapsed() > limit {
            return Err(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A path below /tmp that no other test uses.
pub(crate) fn path(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(format!("/tmp/robust-{number}-{name}"))
}

/// Every BPF program, map and link of the kernel, every function with something attached, everything pinned in the BPF
/// file system.
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
        .collect()
}

/// What the kernel had before pintrace came.
pub(crate) struct Before(BTreeSet<String>);

impl Before {
    /// Looks now.
    pub(crate) fn now() -> Self {
        Self(objects())
    }

    fn added(&self) -> Vec<String> {
        objects().difference(&self.0).cloned().collect()
    }

    /// Waits until pintrace has loaded its last program and attached it.
    pub(crate) fn wait_for_probes(&self) {
        wait_for("the probes", || {
            let added = self.added();
            let last = added.iter().position(|object| object.ends_with(" process_exit"));
            last.is_some() && added.iter().any(|object| object.starts_with("link "))
        });
    }

    /// A program more is there.
    pub(crate) fn has_program(&self) -> bool {
        self.added().iter().any(|object| object.starts_with("program "))
    }

    /// Something of pintrace is there, without which the next would say nothing.
    pub(crate) fn assert_something_is_there(&self) {
        let added = self.added();
        for kind in ["program ", "map ", "link ", "function "] {
            assert!(
                added.iter().any(|object| object.starts_with(kind)),
                "no {kind}in {added:?}"
            );
        }
    }

    /// Nothing is attached any more, though pintrace may still be there.
    pub(crate) fn assert_nothing_is_left_of_the_probes(&self) {
        let attached = || {
            let mut added = self.added();
            added.retain(|object| object.starts_with("link ") || object.starts_with("function "));
            added
        };
        let detached = wait_within(FREED_WITHIN, || attached().is_empty());
        assert!(detached.is_ok(), "still attached: {:?}", attached());
    }

    /// Nothing is left that was not there before.
    pub(crate) fn assert_nothing_is_left(&self) {
        let freed = wait_within(FREED_WITHIN, || self.added().is_empty());
        assert!(freed.is_ok(), "left behind: {:?}", self.added());
    }
}

/// pintrace under way, with its output in files.
pub(crate) struct Running {
    child: Child,
    out: PathBuf,
    errors: PathBuf,
}

/// How it ended.
pub(crate) struct Ended {
    /// Exit code, or 128 and the signal.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) said: String,
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

    /// Its id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    /// Waits until it has said this.
    pub(crate) fn wait_until_said(&self, what: &str) {
        wait_for(what, || self.said().contains(what));
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let status = ended(&mut self.child).unwrap_or_else(|| panic!("it does not end: {}", self.said()));
        Ended {
            code: code(status),
            out: fs::read_to_string(&self.out).unwrap(),
            said: self.said(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody is there any more when the test went well.
        if let Ok(None) = self.child.try_wait() {
            kill_all(children(self.child.id()));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills processes with their children, so that a test that failed disturbs no other.
fn kill_all(processes: Vec<u32>) {
    for process in processes {
        kill_all(children(process));
        if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn ended(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
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

/// Runs pintrace to its end, checks that it ended well, and reads what it printed.
pub(crate) fn json_of(words: &[&str]) -> Value {
    let ended = pintrace(words);
    assert_eq!(ended.code, 0, "{words:?}: {}", ended.said);
    serde_json::from_str(&ended.out).unwrap()
}

/// The report on a recording.
pub(crate) fn report(file: &Path) -> Value {
    json_of(&["report", "--json", file.to_str().unwrap()])
}

/// Children of a process.
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

/// Sends a signal to a process by number.
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// pintrace on a pseudo-terminal, below a shell that stays when pintrace has gone.
pub(crate) struct OnTerminal {
    // Only held: with it goes the terminal.
    controller: OwnedFd,
    terminal: OwnedFd,
    before: Termios,
    shell: Child,
    output: Arc<Mutex<Vec<u8>>>,
    code: PathBuf,
}

impl OnTerminal {
    /// Starts pintrace by this line of shell and waits for its view.
    pub(crate) fn start(line: &str) -> Self {
        use rustix::fs::{Mode, OFlags};
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(&name, flags, Mode::empty()).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).unwrap();
        let before = tcgetattr(&terminal).unwrap();
        let code = path("code");
        let end = || Stdio::from(terminal.try_clone().unwrap());
        // The shell ignores what the keyboard sends to all; pintrace gets the signals' defaults back.
        let script = format!("trap : INT; {line}; echo $? >{}; exec sleep 1000", code.display());
        let shell = Command::new("setsid")
            .args(["-c", "sh", "-c", &script])
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let output = Arc::default();
        let session = Self {
            controller,
            terminal,
            before,
            shell,
            output,
            code,
        };
        session.collect();
        wait_for("the view", || {
            session.output().contains("\x1b[?1049h") && session.output().contains("pintrace")
        });
        session
    }

    /// Gathers the output until the terminal goes.
    fn collect(&self) {
        let mut source = File::from(self.controller.try_clone().unwrap());
        let output = self.output.clone();
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = source.read(&mut part) {
                output.lock().unwrap().extend_from_slice(&part[..length]);
            }
        });
    }

    /// What the terminal was sent so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    /// Presses a key.
    pub(crate) fn key(&self, key: &[u8]) {
        rustix::io::write(&self.controller, key).unwrap();
    }

    /// The process that the shell started.
    pub(crate) fn program(&self) -> u32 {
        children(self.shell.id())[0]
    }

    /// Waits until the shell has been told how it ended.
    pub(crate) fn end(&self) -> i32 {
        let told = || fs::read_to_string(&self.code).unwrap_or_default();
        wait_for("its end", || told().ends_with('\n'));
        told().trim().parse().unwrap()
    }

    /// Waits until the terminal is as before: its modes, the alternate screen left, the cursor shown.
    pub(crate) fn assert_restored(&self) {
        wait_for("the terminal to be restored", || {
            let output = self.output();
            let last = |sequence| output.rfind(sequence);
            let now = tcgetattr(&self.terminal).unwrap();
            let same = now.local_modes == self.before.local_modes
                && now.input_modes == self.before.input_modes
                && now.output_modes == self.before.output_modes
                && now.control_modes == self.before.control_modes;
            same && last("\x1b[?1049l") > last("\x1b[?1049h") && last("\x1b[?25h") > last("\x1b[?25l")
        });
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        kill_all(children(self.shell.id()));
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
