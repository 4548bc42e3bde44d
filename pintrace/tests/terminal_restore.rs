//! Restoring the terminal after each kind of end or stop of the view, on a pseudo-terminal, with real signals.
//!
//! The program is the example `top_demo`, which `cargo test` builds.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::PipeWriter;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::termios::{OptionalActions, Termios, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

/// The longest wait for a condition.
const LIMIT: Duration = Duration::from_secs(20);

const ENTER_ALTERNATE: &str = "\x1b[?1049h";
const LEAVE_ALTERNATE: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";
const HIDE_CURSOR: &str = "\x1b[?25l";
/// Host name, which the header contains.
const HOST: &str = "vmhost-17";

#[test]
fn quitting_restores() {
    for key in ["q", "\x03"] {
        let mut session = Session::start(&[]);
        session.press(key);
        assert_eq!(session.end(), 0, "{key:?}");
        session.assert_restored();
    }
}

#[test]
fn a_view_without_the_mouse_leaves_it_to_the_terminal() {
    /// The terminal reports clicks after the first of the modes.
    const MOUSE: &str = "\x1b[?1000h";
    for (arguments, takes) in [(&[][..], true), (&["--no-mouse"][..], false)] {
        let mut session = Session::start(arguments);
        session.press("q");
        assert_eq!(session.end(), 0);
        session.assert_restored();
        let output = session.output();
        assert_eq!(output.contains(MOUSE), takes, "{arguments:?}");
        assert_eq!(output.contains(&MOUSE.replace('h', "l")), takes, "{arguments:?}");
    }
}

#[test]
fn signals_that_end_the_program_restore() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut session = Session::start(&[]);
        kill_process(session.leader(), signal).unwrap();
        assert_eq!(session.end(), code, "{signal:?}");
        session.assert_restored();
    }
}

#[test]
fn a_closed_window_ends_the_program() {
    let mut session = Session::start(&[]);
    session.hang_up();
    // SIGHUP, the end of input and an error of the terminal race.
    let code = session.end();
    assert!([0, 1, 129].contains(&code), "{code}");
}

#[test]
fn a_panic_beside_the_view_restores_and_is_readable() {
    assert_panic_is_readable("--panic", 1);
}

#[test]
fn a_panic_of_the_drawing_thread_restores_and_is_readable() {
    assert_panic_is_readable("--panic-main", 101);
}

fn assert_panic_is_readable(argument: &str, code: i32) {
    let mut session = Session::start(&[argument]);
    assert_eq!(session.end(), code);
    session.assert_restored();
    session.wait_for("the message", |output| {
        let (_, after) = output.rsplit_once(LEAVE_ALTERNATE).unwrap();
        after.contains("a panic on request")
    });
}

#[test]
fn ctrl_z_restores_and_fg_draws_again() {
    assert_stops_and_continues(|session| session.press("\x1a"));
}

#[test]
fn sigtstp_restores_and_fg_draws_again() {
    assert_stops_and_continues(|session| kill_process(session.job(), Signal::TSTP).unwrap());
}

fn assert_stops_and_continues(stop: impl Fn(&Session)) {
    let mut session = Session::start_in_shell();
    for _ in 0..2 {
        let before = session.output().len();
        stop(&session);
        session.wait_for("the shell", |output| output[before..].contains("Stopped"));
        session.assert_restored();
        let before = session.output().len();
        session.press("fg\r");
        session.wait_for("the view", |output| {
            output[before..].contains(ENTER_ALTERNATE) && output[before..].contains(HOST)
        });
    }
    let job = session.job();
    session.press("q");
    wait_for_exit(job);
    session.assert_restored();
    session.press("exit\r");
    assert_eq!(session.end(), 0);
}

#[test]
fn sigcont_after_sigstop_draws_again_and_quitting_restores_the_modes_of_the_shell() {
    let mut session = Session::start(&[]);
    kill_process(session.leader(), Signal::STOP).unwrap();
    session.wait_for_stop();
    // A shell restores the modes when a job stops.
    tcsetattr(&session.terminal, OptionalActions::Now, &session.before).unwrap();
    let before = session.output().len();
    kill_process(session.leader(), Signal::CONT).unwrap();
    session.wait_for("the view", |output| {
        output[before..].contains(ENTER_ALTERNATE) && output[before..].contains(HOST)
    });
    session.press("q");
    assert_eq!(session.end(), 0);
    session.assert_restored();
}

#[test]
fn ctrl_z_without_a_shell_keeps_the_view() {
    let mut session = Session::start(&[]);
    let before = session.output().len();
    session.press("\x1a");
    session.wait_for("the view", |output| {
        output[before..].contains(ENTER_ALTERNATE) && output[before..].contains(HOST)
    });
    session.press("q");
    assert_eq!(session.end(), 0);
    session.assert_restored();
}

#[derive(Default)]
struct Output {
    text: Mutex<Vec<u8>>,
    grown: Condvar,
}

/// A program on a pseudo-terminal.
struct Session {
    controller: Option<OwnedFd>,
    terminal: OwnedFd,
    before: Termios,
    leader: Child,
    output: Arc<Output>,
    collector: Option<(PipeWriter, JoinHandle<()>)>,
}

impl Session {
    /// Starts the program as session leader and waits for its view.
    fn start(arguments: &[&str]) -> Self {
        let session = Self::new(|command| {
            command.arg(program()).args(arguments);
        });
        session.wait_for_view();
        session
    }

    /// Starts the program as a job of a shell with job control and waits for its view.
    fn start_in_shell() -> Self {
        let session = Self::new(|command| {
            command.args(["sh", "-mi"]).env("PS1", "$ ").env("ENV", "");
        });
        session.press(&format!("{}\r", program().display()));
        session.wait_for_view();
        session
    }

    fn new(configure: impl Fn(&mut Command)) -> Self {
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
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).unwrap();
        let before = tcgetattr(&terminal).unwrap();
        let end = || Stdio::from(terminal.try_clone().unwrap());
        let mut command = Command::new("setsid");
        command.arg("--ctty");
        configure(&mut command);
        let command = command.env("TERM", "xterm").env_remove("RUST_BACKTRACE");
        let leader = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let output = Arc::default();
        let collector = Some(collect(controller.try_clone().unwrap(), &output));
        Self {
            controller: Some(controller),
            terminal,
            before,
            leader,
            output,
            collector,
        }
    }

    fn leader(&self) -> Pid {
        Pid::from_child(&self.leader)
    }

    /// Returns the child of the shell.
    fn job(&self) -> Pid {
        let shell = self.leader.id();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        Pid::from_raw(children.trim().parse().unwrap()).unwrap()
    }

    fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.text.lock().unwrap()).into_owned()
    }

    fn press(&self, keys: &str) {
        rustix::io::write(self.controller.as_ref().unwrap(), keys.as_bytes()).unwrap();
    }

    /// Closes the controlling side, as a closed terminal window does. The kernel sends SIGHUP.
    fn hang_up(&mut self) {
        let (stop, collector) = self.collector.take().unwrap();
        drop(stop);
        collector.join().unwrap();
        self.controller = None;
    }

    fn wait_for_view(&self) {
        self.wait_for("the view", |output| {
            output.contains(ENTER_ALTERNATE) && output.contains(HOST)
        });
    }

    fn wait_for(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let lacks = |text: &mut Vec<u8>| !holds(&String::from_utf8_lossy(text));
        let text = self.output.text.lock().unwrap();
        let (text, waited) = self.output.grown.wait_timeout_while(text, LIMIT, lacks).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(!waited.timed_out(), "waited {LIMIT:?} for {what}: {text:?}");
    }

    /// Waits until the leader has stopped.
    fn wait_for_stop(&self) {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let status = waitid(WaitId::Pid(self.leader()), WaitIdOptions::STOPPED).unwrap();
        assert!(status.unwrap().stopped());
    }

    /// Waits until the leader has ended and returns its exit code.
    fn end(&mut self) -> i32 {
        wait_for_exit(self.leader());
        let status = self.leader.wait().unwrap();
        assert_eq!(status.signal(), None, "{status}");
        status.code().unwrap()
    }

    /// Asserts the old modes, the main screen and a visible cursor.
    fn assert_restored(&self) {
        let now = tcgetattr(&self.terminal).unwrap();
        assert_eq!(now.local_modes, self.before.local_modes);
        assert_eq!(now.input_modes, self.before.input_modes);
        assert_eq!(now.output_modes, self.before.output_modes);
        // The collecting thread may not have read all output yet.
        self.wait_for("the end of the view", |output| {
            let last = |sequence| output.rfind(sequence);
            last(LEAVE_ALTERNATE) > last(ENTER_ALTERNATE) && last(SHOW_CURSOR) > last(HIDE_CURSOR)
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The end of the leader hangs up the terminal, which ends the job of a shell.
        let _ = self.leader.kill();
        let _ = self.leader.wait();
    }
}

/// Collects the output on a thread until the returned pipe is closed.
fn collect(source: OwnedFd, output: &Arc<Output>) -> (PipeWriter, JoinHandle<()>) {
    let (until, stopper) = std::io::pipe().unwrap();
    let output = output.clone();
    let collector = std::thread::spawn(move || {
        let mut part = [0; 4096];
        loop {
            let mut polled = [
                PollFd::new(&source, PollFlags::IN),
                PollFd::new(&until, PollFlags::IN),
            ];
            poll(&mut polled, None).unwrap();
            let [readable, closed] = polled.map(|polled| !polled.revents().is_empty());
            if closed {
                return;
            }
            if readable && let Ok(length @ 1..) = rustix::io::read(&source, &mut part) {
                output.text.lock().unwrap().extend_from_slice(&part[..length]);
                output.grown.notify_all();
            }
        }
    });
    (stopper, collector)
}

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/top_demo");
    assert!(
        program.exists(),
        "{}: build it with `cargo build --example top_demo`",
        program.display()
    );
    program
}

fn wait_for_exit(pid: Pid) {
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    let limit = Timespec::try_from(LIMIT).unwrap();
    let ready = poll(&mut [PollFd::new(&process.as_fd(), PollFlags::IN)], Some(&limit)).unwrap();
    assert_eq!(ready, 1, "the process {pid:?} does not end");
}
