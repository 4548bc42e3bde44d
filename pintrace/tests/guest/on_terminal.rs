//! pintrace on a pseudo-terminal.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::fd::OwnedFd;
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::harness::wait_for;
use crate::robust_kit::{children, kill_all, path};

/// pintrace on a pseudo-terminal, started by a shell that outlives pintrace.
pub(crate) struct OnTerminal {
    // The terminal exists until this descriptor is closed.
    controller: OwnedFd,
    terminal: OwnedFd,
    before: Termios,
    shell: Child,
    output: Arc<Mutex<Vec<u8>>>,
    /// The screen as a terminal shows the output.
    screen: Arc<Mutex<vt100::Parser>>,
    code: PathBuf,
}

/// Columns and rows of the terminal at the start.
const TERMINAL_SIZE: (u16, u16) = (100, 24);

impl OnTerminal {
    /// Starts pintrace with a shell command line and waits for its view.
    pub(crate) fn start(line: &str) -> Self {
        use rustix::fs::{Mode, OFlags};
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(&name, flags, Mode::empty()).unwrap();
        let (columns, rows) = TERMINAL_SIZE;
        tcsetwinsize(&terminal, size(columns, rows)).unwrap();
        let before = tcgetattr(&terminal).unwrap();
        let code = path("code");
        let end = || Stdio::from(terminal.try_clone().unwrap());
        // The shell survives signals of the keyboard; a trap, unlike an ignored signal, is reset to the default for
        // pintrace.
        // The line may end in a comment.
        let script = format!("trap : INT; {line}\necho $? >{}; exec sleep 1000", code.display());
        let shell = Command::new("setsid")
            .args(["-c", "sh", "-c", &script])
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let output = Arc::default();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let session = Self {
            controller,
            terminal,
            before,
            shell,
            output,
            screen,
            code,
        };
        session.collect();
        wait_for("the view", || {
            let output = session.output();
            (output.contains("\x1b[?1049h") && output.contains("pintrace")).then_some(())
        });
        session
    }

    /// Collects the output until the terminal is closed.
    fn collect(&self) {
        let mut source = File::from(self.controller.try_clone().unwrap());
        let (output, screen) = (self.output.clone(), self.screen.clone());
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = source.read(&mut part) {
                screen.lock().unwrap().process(&part[..length]);
                output.lock().unwrap().extend_from_slice(&part[..length]);
            }
        });
    }

    /// Returns the output to the terminal so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    /// Returns the text on the screen, a line for each row.
    pub(crate) fn screen(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Changes the size of the terminal, as a window manager does.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(rows, columns);
        tcsetwinsize(&self.terminal, size(columns, rows)).unwrap();
    }

    /// Takes all text off the screen, as another program that writes on the terminal does.
    pub(crate) fn wipe(&self) {
        self.screen.lock().unwrap().process(b"\x1b[H\x1b[2J");
    }

    /// Presses a key.
    pub(crate) fn key(&self, key: &[u8]) {
        rustix::io::write(&self.controller, key).unwrap();
    }

    /// Returns the process that the shell started.
    pub(crate) fn program(&self) -> u32 {
        children(self.shell.id())[0]
    }

    /// Waits until pintrace has ended, and returns the exit code.
    pub(crate) fn end(&self) -> i32 {
        let line = wait_for("the exit code", || {
            let line = fs::read_to_string(&self.code).unwrap_or_default();
            line.ends_with('\n').then_some(line)
        });
        line.trim().parse().unwrap()
    }

    /// Waits until the terminal is restored: the old modes, the main screen, a visible cursor.
    pub(crate) fn assert_restored(&self) {
        wait_for("the terminal to be restored", || {
            let output = self.output();
            let last = |sequence| output.rfind(sequence);
            let now = tcgetattr(&self.terminal).unwrap();
            let same = now.local_modes == self.before.local_modes
                && now.input_modes == self.before.input_modes
                && now.output_modes == self.before.output_modes
                && now.control_modes == self.before.control_modes;
            let shown = last("\x1b[?1049l") > last("\x1b[?1049h") && last("\x1b[?25h") > last("\x1b[?25l");
            (same && shown).then_some(())
        });
    }
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        kill_all(children(self.shell.id()));
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
