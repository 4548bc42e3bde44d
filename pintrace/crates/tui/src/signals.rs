//! The signals that end, stop or continue the view.

use std::io;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal as NixSignal, sigaction};
use rustix::process::Signal;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};

/// A signal for the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// SIGINT, SIGTERM or SIGHUP, by number.
    End(i32),
    /// SIGTSTP.
    Stop,
    /// SIGCONT.
    Continue,
}

/// Streams of the signals for the view.
pub(super) struct Signals {
    interrupt: SignalStream,
    terminate: SignalStream,
    hangup: SignalStream,
    stop: SignalStream,
    resume: SignalStream,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let other = |number: Signal| signal(SignalKind::from_raw(number.as_raw()));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            stop: other(Signal::TSTP)?,
            resume: other(Signal::CONT)?,
        })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) -> Received {
        let end = |kind: SignalKind| Received::End(kind.as_raw_value());
        tokio::select! {
            _ = self.interrupt.recv() => end(SignalKind::interrupt()),
            _ = self.terminate.recv() => end(SignalKind::terminate()),
            _ = self.hangup.recv() => end(SignalKind::hangup()),
            _ = self.stop.recv() => Received::Stop,
            _ = self.resume.recv() => Received::Continue,
        }
    }
}

/// Stops the process group by SIGTSTP, as Ctrl-Z does, and returns after the process is continued.
///
/// Returns at once in an orphaned process group, which no shell could continue: the kernel ignores SIGTSTP with the
/// default action in such a group (`get_signal`, kernel/signal.c).
pub(super) fn stop_process_group() -> io::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action runs no code of this process.
    let caught = unsafe { sigaction(NixSignal::SIGTSTP, &default) }?;
    // If this thread is the main thread, which `complete_signal` (kernel/signal.c) prefers, the kernel delivers the
    // signal before the call returns.
    let stopped = rustix::process::kill_current_process_group(Signal::TSTP);
    // SAFETY: restores the handler that was in force before.
    unsafe { sigaction(NixSignal::SIGTSTP, &caught) }?;
    Ok(stopped?)
}
