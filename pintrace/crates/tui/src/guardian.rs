//! A tiny parent that gives the terminal back when the program is killed and cannot do so itself.
//!
//! The parent notes how the terminal is, starts this executable again as its child, and waits. Dies
//! the child by a signal, the parent restores the terminal. Dies the parent, the kernel sends the
//! child SIGTERM, which ends it in order. So whichever of the two is killed with SIGKILL, the other
//! cleans up. Must not know what the program does.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};

use nix::sys::signal::{SigSet, Signal as MaskSignal};
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{Pid, Signal};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// Tells the child whose child it is. A grandchild that inherits it has another parent.
const VARIABLE: &str = "PINTRACE_GUARDIAN";

/// Leaves the alternate screen, shows the cursor, ends colours.
const RESTORE: &[u8] = b"\x1b[?1049l\x1b[?25h\x1b[0m";

/// What this process is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Be the program.
    Program,
    /// Exit with this code: the program has been, as a child of this process.
    Done(u8),
}

/// Puts a guardian before the program. To be called before any thread is started; returns twice, in
/// two processes. Without a terminal there is nothing to guard.
pub fn guard() -> io::Result<Role> {
    if guarded_by_parent()? {
        return Ok(Role::Program);
    }
    let Some(terminal) = Guarded::open() else {
        return Ok(Role::Program);
    };
    let mut mask = endings();
    mask.add(MaskSignal::SIGTTOU);
    mask.thread_block()?;
    let mut child = program()?;
    let status = wait(&mut child, &endings())?;
    terminal.restore(status);
    Ok(Role::Done(exit_code(status)))
}

/// The signals that the parent passes on, and the one that says that the child has ended.
fn endings() -> SigSet {
    [
        MaskSignal::SIGINT,
        MaskSignal::SIGQUIT,
        MaskSignal::SIGTERM,
        MaskSignal::SIGHUP,
        MaskSignal::SIGCHLD,
    ]
    .into_iter()
    .collect()
}

/// In the child: binds its life to the parent's.
fn guarded_by_parent() -> io::Result<bool> {
    let Some(guardian) = std::env::var(VARIABLE)
        .ok()
        .and_then(|pid| pid.parse::<i32>().ok())
    else {
        return Ok(false);
    };
    let is_parent = || rustix::process::getppid().is_some_and(|parent| parent.as_raw_pid() == guardian);
    if !is_parent() {
        return Ok(false);
    }
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    if !is_parent() {
        // It died before the line above: nobody would ever tell.
        return Err(io::Error::other("the parent process has been killed"));
    }
    // The name would be that of the link in /proc.
    let _ = rustix::thread::set_name(c"pintrace");
    // After the parent's death the shell has the terminal again, and one in the background may only
    // restore it while SIGTTOU is blocked (tty_check_change).
    let mut background = SigSet::empty();
    background.add(MaskSignal::SIGTTOU);
    background.thread_block()?;
    endings().thread_unblock()?;
    Ok(true)
}

/// This very executable again, even if another has taken its place on disk.
fn program() -> io::Result<Child> {
    let mut arguments = std::env::args_os();
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command
        .args(arguments)
        .env(VARIABLE, std::process::id().to_string())
        .spawn()
}

/// Waits for the child and passes on what asks for an end.
fn wait(child: &mut Child, signals: &SigSet) -> io::Result<ExitStatus> {
    loop {
        let signal = signals.wait()?;
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let passed = match signal {
            MaskSignal::SIGCHLD => None,
            MaskSignal::SIGINT => Some(Signal::INT),
            MaskSignal::SIGQUIT => Some(Signal::QUIT),
            MaskSignal::SIGHUP => Some(Signal::HUP),
            _ => Some(Signal::TERM),
        };
        if let (Some(pid), Some(signal)) = (pid, passed) {
            rustix::process::kill_process(pid, signal)?;
        }
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.signal().map_or(status.code(), |signal| Some(128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// The terminal as it was before the program.
struct Guarded {
    terminal: OwnedFd,
    before: Termios,
}

impl Guarded {
    /// The terminal that raw mode is set on: standard input, else the controlling one.
    fn open() -> Option<Self> {
        let stdin = io::stdin();
        let terminal = if stdin.is_terminal() {
            stdin.as_fd().try_clone_to_owned().ok()?
        } else {
            OwnedFd::from(File::open("/dev/tty").ok()?)
        };
        let before = tcgetattr(&terminal).ok()?;
        io::stdout().is_terminal().then_some(Self { terminal, before })
    }

    /// Undoes what the program left behind. Raw mode is its first step and the last to be undone, so
    /// without it there is nothing to do.
    fn restore(&self, status: ExitStatus) {
        let left_raw = tcgetattr(&self.terminal).is_ok_and(|now| {
            now.local_modes != self.before.local_modes
                || now.input_modes != self.before.input_modes
                || now.output_modes != self.before.output_modes
        });
        if left_raw {
            // If the terminal has gone as well, nobody misses it.
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
            let mut stdout = io::stdout();
            let _ = stdout.write_all(RESTORE).and_then(|()| stdout.flush());
        }
        if let Some(signal) = status.signal() {
            let _ = writeln!(
                io::stderr(),
                "pintrace: killed by signal {signal}; the terminal is restored"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_programs_or_names_its_signal() {
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
        assert_eq!(exit_code(ExitStatus::from_raw(15)), 143);
    }
}
