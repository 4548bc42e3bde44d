//! However the view ends, the terminal is as it was: on a real pseudo-terminal, with real signals.
//!
//! Without the test harness, because its threads would come before the guardian: this executable is
//! runner and subject in one.

use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pintrace_tui::{self, ExitReason, guardian};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use tokio::sync::watch;

type Test = fn() -> Result<()>;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SUBJECT: &str = "PINTRACE_TEST_SUBJECT";
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result<ExitCode> {
    if let Some(manner) = std::env::var_os(SUBJECT) {
        return subject(manner == "panic");
    }
    let tests: &[(&str, Test)] = &[
        ("quitting_restores", quitting_restores),
        ("termination_restores", termination_restores),
        ("hanging_up_restores", hanging_up_restores),
        (
            "a_closed_window_leaves_nobody_behind",
            a_closed_window_leaves_nobody_behind,
        ),
        (
            "a_panic_restores_and_is_readable",
            a_panic_restores_and_is_readable,
        ),
        ("killing_the_program_restores", killing_the_program_restores),
        ("killing_the_guardian_restores", killing_the_guardian_restores),
        (
            "suspending_restores_and_continuing_draws",
            suspending_restores_and_continuing_draws,
        ),
    ];
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    if std::env::args().any(|argument| argument == "--list") {
        for (name, _) in tests {
            println!("{name}: test");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut failed = false;
    for (name, test) in tests {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let result = std::panic::catch_unwind(test).unwrap_or_else(|_| Err("it panicked".into()));
        match result {
            Ok(()) => println!("test {name} ... ok"),
            Err(error) => {
                failed = true;
                println!("test {name} ... FAILED\n{error}");
            }
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What `pintrace top` does, over an empty snapshot.
#[expect(clippy::panic, reason = "a panic is what is tested")]
fn subject(panics: bool) -> Result<ExitCode> {
    if let guardian::Role::Done(code) = guardian::guard()? {
        return Ok(ExitCode::from(code));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let (sender, receiver) = watch::channel(Arc::default());
        if panics {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                panic!("this is a test");
            });
        }
        let outcome = pintrace_tui::run(receiver, pintrace_tui::Options::default()).await;
        drop(sender);
        outcome
    })?;
    Ok(match outcome {
        ExitReason::Quit => ExitCode::SUCCESS,
        ExitReason::Signal(signal) => ExitCode::from(u8::try_from(128 + signal)?),
        ExitReason::SourceGone | ExitReason::Panicked => ExitCode::from(101),
    })
}

fn quitting_restores() -> Result<()> {
    let mut session = Session::start("", Leader::Itself)?;
    session.key(b"q")?;
    assert_eq!(session.end()?.code(), Some(0));
    session.assert_restored()
}

fn termination_restores() -> Result<()> {
    let mut session = Session::start("", Leader::Itself)?;
    kill_process(session.guardian()?, Signal::TERM)?;
    assert_eq!(session.end()?.code(), Some(143));
    session.assert_restored()
}

fn hanging_up_restores() -> Result<()> {
    let mut session = Session::start("", Leader::Itself)?;
    kill_process(session.program()?, Signal::HUP)?;
    assert_eq!(session.end()?.code(), Some(129));
    session.assert_restored()
}

fn a_closed_window_leaves_nobody_behind() -> Result<()> {
    let mut session = Session::start("", Leader::Itself)?;
    let program = session.program()?;
    session.close();
    session.end()?;
    session.wait_for("the program to end", |_| {
        rustix::process::test_kill_process(program).is_err()
    })
}

fn a_panic_restores_and_is_readable() -> Result<()> {
    let mut session = Session::start("panic", Leader::Itself)?;
    assert_eq!(session.end()?.code(), Some(101));
    session.assert_restored()?;
    let output = session.output();
    let (_, after) = output
        .rsplit_once("\x1b[?1049l")
        .ok_or("the alternate screen was not left")?;
    assert!(after.contains("this is a test"), "{after:?}");
    Ok(())
}

fn killing_the_program_restores() -> Result<()> {
    let mut session = Session::start("", Leader::Itself)?;
    kill_process(session.program()?, Signal::KILL)?;
    assert_eq!(session.end()?.code(), Some(137));
    assert!(session.output().contains("killed by signal 9"));
    session.assert_restored()
}

/// The hard case: the shell takes the terminal back while the program still has to restore it.
fn killing_the_guardian_restores() -> Result<()> {
    let mut session = Session::start("", Leader::Shell)?;
    kill_process(session.guardian()?, Signal::KILL)?;
    session.assert_restored()?;
    session.key(b"exit\r")?;
    session.end()?;
    Ok(())
}

fn suspending_restores_and_continuing_draws() -> Result<()> {
    let mut session = Session::start("", Leader::Shell)?;
    session.key(b"\x1a")?;
    session.assert_restored()?;
    let before = session.output().len();
    session.key(b"fg\r")?;
    session.wait_for("the view to come back", |session| {
        let output = session.output();
        output
            .get(before..)
            .is_some_and(|new| new.contains("\x1b[?1049h") && new.contains("pintrace"))
    })?;
    session.key(b"q")?;
    session.wait_for("the view to end", |session| {
        session.output().matches("\x1b[?1049l").count() == 2
    })?;
    session.assert_restored()?;
    session.key(b"exit\r")?;
    session.end()?;
    Ok(())
}

/// Who leads the session that the guardian runs in.
#[derive(Clone, Copy, PartialEq)]
enum Leader {
    Itself,
    /// A shell with job control, as a user has it.
    Shell,
}

/// A subject on a pseudo-terminal of its own.
struct Session {
    controller: Option<OwnedFd>,
    terminal: OwnedFd,
    before: Termios,
    leader: Child,
    shell: bool,
    output: Arc<Mutex<Vec<u8>>>,
    closed: Arc<AtomicBool>,
}

impl Session {
    /// Starts the subject and waits until its view stands.
    fn start(manner: &str, leader: Leader) -> Result<Self> {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&controller)?;
        unlockpt(&controller)?;
        let name = ptsname(&controller, Vec::new())?;
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let terminal = rustix::fs::open(&name, flags, rustix::fs::Mode::empty())?;
        tcsetwinsize(
            &terminal,
            Winsize {
                ws_row: 24,
                ws_col: 80,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )?;
        let before = tcgetattr(&terminal)?;
        let end = || terminal.try_clone().map(Stdio::from);
        let mut command = Command::new("setsid");
        command.arg("--ctty");
        let subject = std::env::current_exe()?;
        let shell = leader == Leader::Shell;
        if shell {
            command
                .args(["sh", "-mi"])
                .env("PS1", "$ ")
                .env("SUBJECT", &subject);
        } else {
            command.arg(&subject).env(SUBJECT, manner);
        }
        let leader = command
            .env("TERM", "xterm")
            .stdin(end()?)
            .stdout(end()?)
            .stderr(end()?)
            .spawn()?;
        let (output, closed) = (Arc::default(), Arc::default());
        let controller = Some(controller);
        let session = Self {
            controller,
            terminal,
            before,
            leader,
            shell,
            output,
            closed,
        };
        session.collect()?;
        if shell {
            session.key(format!("{SUBJECT}='{manner}' $SUBJECT\r").as_bytes())?;
        }
        session.wait_for("the view", |session| {
            let output = session.output();
            output.contains("\x1b[?1049h") && output.contains("pintrace") && session.program().is_ok()
        })?;
        Ok(session)
    }

    /// Gathers the output until the session is closed: the terminal exists as long as this end of it.
    fn collect(&self) -> Result<()> {
        let source = self.controller()?.try_clone()?;
        let (output, closed) = (self.output.clone(), self.closed.clone());
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while !closed.load(Ordering::SeqCst) {
                let mut polled = [PollFd::new(&source, PollFlags::IN)];
                let moment = Timespec {
                    tv_sec: 0,
                    tv_nsec: 20_000_000,
                };
                if rustix::event::poll(&mut polled, Some(&moment)) == Ok(0) {
                    continue;
                }
                let Ok(length @ 1..) = rustix::io::read(&source, &mut part) else {
                    return;
                };
                let Ok(mut output) = output.lock() else { return };
                output.extend_from_slice(&part[..length]);
            }
        });
        Ok(())
    }

    fn controller(&self) -> Result<&OwnedFd> {
        self.controller
            .as_ref()
            .ok_or_else(|| "the session is closed".into())
    }

    /// Closes the window.
    fn close(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        self.controller = None;
    }

    fn output(&self) -> String {
        self.output
            .lock()
            .map(|output| String::from_utf8_lossy(&output).into_owned())
            .unwrap_or_default()
    }

    fn key(&self, bytes: &[u8]) -> Result<()> {
        rustix::io::write(self.controller()?, bytes)?;
        Ok(())
    }

    fn guardian(&self) -> Result<Pid> {
        let leader = Pid::from_child(&self.leader);
        if self.shell { child_of(leader) } else { Ok(leader) }
    }

    fn program(&self) -> Result<Pid> {
        child_of(self.guardian()?)
    }

    fn wait_for(&self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<()> {
        let start = Instant::now();
        while !holds(self) {
            if start.elapsed() > PATIENCE {
                return Err(format!("waited in vain for {what}; output: {:?}", self.output()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.leader.try_wait()? {
                assert_eq!(status.signal(), None, "{status}");
                return Ok(status);
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("it does not end; output: {:?}", self.output()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Modes as before, alternate screen left for good, cursor shown.
    fn assert_restored(&self) -> Result<()> {
        self.wait_for("the terminal to be restored", |session| {
            let output = session.output();
            let last = |sequence| output.rfind(sequence);
            let modes = tcgetattr(&session.terminal).is_ok_and(|now| {
                now.local_modes == session.before.local_modes
                    && now.input_modes == session.before.input_modes
                    && now.output_modes == session.before.output_modes
            });
            modes && last("\x1b[?1049l") > last("\x1b[?1049h") && last("\x1b[?25h") > last("\x1b[?25l")
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
        let _ = self.leader.kill();
        let _ = self.leader.wait();
    }
}

/// The only child of a process.
fn child_of(parent: Pid) -> Result<Pid> {
    let pid = parent.as_raw_pid();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let child = children.split_whitespace().next().ok_or("it has no child")?;
    Pid::from_raw(child.parse()?).ok_or_else(|| "no pid".into())
}
