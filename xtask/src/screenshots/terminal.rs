//! `pintrace replay` in a pseudo-terminal, and the screen that a terminal emulator makes of its output.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Rows and columns of the terminal.
pub(super) const SIZE: (u16, u16) = (30, 110);
/// A screen is complete if nothing has been written for this time.
const QUIET: Duration = Duration::from_millis(400);
/// The view shows the effect of keys within this time.
const SLOW: Duration = Duration::from_secs(3);
/// The longest wait for a screen.
const LIMIT: Duration = Duration::from_secs(30);

/// A running view.
pub(super) struct Terminal {
    child: Child,
    keys: File,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
}

impl Terminal {
    /// Starts the view, and waits until it has read the recording.
    pub(super) fn start(pintrace: &Path, recording: &Path) -> Result<Self> {
        let (controller, terminal) = open()?;
        let end = || terminal.try_clone().map(Stdio::from);
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "--wait"])
            .arg(pintrace)
            .arg("replay")
            .arg(recording)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR");
        let child = command.stdin(end()?).stdout(end()?).stderr(end()?).spawn();
        let child = child.context("cannot start setsid; install util-linux")?;
        let keys = File::from(controller);
        let output = collect(keys.try_clone()?);
        let mut view = Self {
            child,
            keys,
            output,
            parser: vt100::Parser::new(SIZE.0, SIZE.1, 0),
        };
        view.settle("paused (z)", |_| true)?;
        Ok(view)
    }

    /// Types keys.
    pub(super) fn press(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes())?;
        Ok(())
    }

    /// Waits until the screen has a text, nothing more is written, and `is_wanted` holds. After [`LIMIT`], only the text is
    /// required.
    pub(super) fn settle(
        &mut self,
        until: &str,
        mut is_wanted: impl FnMut(&vt100::Screen) -> bool,
    ) -> Result<()> {
        let begin = Instant::now();
        let end = begin + LIMIT;
        let mut has_changed = false;
        loop {
            match self.output.recv_timeout(QUIET) {
                Ok(bytes) => {
                    self.parser.process(&bytes);
                    has_changed = true;
                }
                Err(RecvTimeoutError::Disconnected) => bail!("the view has ended: {}", self.text()),
                Err(RecvTimeoutError::Timeout) => {
                    let is_late = Instant::now() >= end;
                    let screen = self.parser.screen();
                    let has_text = until.split('|').any(|text| screen.contents().contains(text));
                    // Keys may change nothing.
                    let has_settled = has_changed || begin.elapsed() >= SLOW;
                    if has_text && has_settled && (is_wanted(screen) || is_late) {
                        return Ok(());
                    }
                    if is_late {
                        bail!("“{until}” does not appear:\n{}", self.text());
                    }
                }
            }
        }
    }

    fn text(&self) -> String {
        self.parser.screen().contents()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The view may have ended already.
        let _ = self.keys.write_all(b"\x03");
        let _ = self.child.wait();
    }
}

/// Returns both ends of a new pseudo-terminal.
fn open() -> Result<(OwnedFd, OwnedFd)> {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&controller)?;
    unlockpt(&controller)?;
    let name = ptsname(&controller, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = rustix::fs::open(&name, flags, Mode::empty())?;
    let size = Winsize {
        ws_row: SIZE.0,
        ws_col: SIZE.1,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal, size)?;
    Ok((controller, terminal))
}

/// Reads the output on a thread, until the view has ended.
fn collect(mut source: File) -> Receiver<Vec<u8>> {
    let (sender, output) = mpsc::channel();
    thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = source.read(&mut part) {
            if sender.send(part[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    output
}
