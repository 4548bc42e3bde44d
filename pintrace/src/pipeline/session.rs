//! The running kernel as a stream of events, from `Started` to `Stopped`, by whichever source it allows.

use std::os::fd::OwnedFd;
use std::time::Instant;

use tokio::io::unix::AsyncFd;

use pintrace_events::{Event, Stopped};
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_probes::table;
use pintrace_scan::scanner::ScanError;

use super::scan_session::ScanSession;
use super::start::{Mode, SessionError, SessionOptions};
use super::trace_session::TraceSession;

/// A kernel that tells what happens.
pub enum Session {
    /// By its functions.
    Trace(Box<TraceSession>),
    /// By its memory.
    Scan(Box<ScanSession>),
}

impl Session {
    /// Begins. The first events are ready.
    pub fn start(roots: &Roots, options: &SessionOptions) -> Result<(Self, Vec<Event>), SessionError> {
        let kernel = Kernel::read(roots, table::functions())?;
        if options.mode == Mode::Scan {
            return Ok(Self::scan(&kernel, roots, options, String::new())?);
        }
        // Read again only where nothing can be traced: what is traced keeps the symbols.
        match TraceSession::start(kernel, roots, options) {
            Ok((session, first)) => Ok((Self::Trace(Box::new(session)), first)),
            Err(SessionError::Start(why)) if options.mode == Mode::Auto => {
                let kernel = Kernel::read(roots, table::functions())?;
                Self::scan(&kernel, roots, options, why.to_string()).map_err(|scanned| {
                    SessionError::Neither {
                        traced: Box::new(why),
                        scanned: Box::new(scanned),
                    }
                })
            }
            Err(error) => Err(error),
        }
    }

    fn scan(
        kernel: &Kernel,
        roots: &Roots,
        options: &SessionOptions,
        why: String,
    ) -> Result<(Self, Vec<Event>), ScanError> {
        let (session, first) = ScanSession::start(kernel, roots, options, why)?;
        Ok((Self::Scan(Box::new(session)), first))
    }

    /// Whether it goes on reading what only a privileged process may read.
    pub fn reads_processes(&self) -> bool {
        matches!(self, Self::Scan(_))
    }

    /// Readable when the kernel has something to tell before the next tick; `None` if it never has.
    pub fn poll_ring(&self) -> std::io::Result<Option<AsyncFd<OwnedFd>>> {
        match self {
            Self::Trace(session) => session.poll_ring().map(Some),
            Self::Scan(_) => Ok(None),
        }
    }

    /// Counts events that a recording could not take.
    pub fn count_unwritten(&mut self, total: u64) {
        match self {
            Self::Trace(session) => session.count_unwritten(total),
            Self::Scan(session) => session.count_unwritten(total),
        }
    }

    /// What the kernel has told since the last call.
    pub fn drain(&mut self) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Trace(session) => session.drain(),
            Self::Scan(_) => Ok(Vec::new()),
        }
    }

    /// Everything that changed, and the moment's balance and loss; ends with a tick.
    pub fn tick(&mut self) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Trace(session) => session.tick(),
            Self::Scan(session) => Ok(session.tick()?),
        }
    }

    /// Everything that changed, between two ticks.
    pub fn sample(&mut self) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Trace(session) => session.sample(),
            Self::Scan(_) => Ok(Vec::new()),
        }
    }

    /// When a sample is due that does not wait for the next tick; `None` if there is none.
    pub fn due(&self) -> Option<Instant> {
        match self {
            Self::Trace(session) => session.due(),
            Self::Scan(_) => None,
        }
    }

    /// Begins to end: a sample after which, for as long as [`Self::is_reconciling`], others are to come before the last.
    pub fn close(&mut self) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Trace(session) => session.close(),
            Self::Scan(_) => Ok(Vec::new()),
        }
    }

    /// Whether what was lost is being set right.
    pub fn is_reconciling(&self) -> bool {
        match self {
            Self::Trace(session) => session.is_reconciling(),
            Self::Scan(_) => false,
        }
    }

    /// The last events.
    pub fn stop(&mut self, stopped: Stopped) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Trace(session) => session.stop(stopped),
            Self::Scan(session) => Ok(session.stop(stopped)?),
        }
    }

    /// Whether a process that has ended still holds pins, as far as the last tick told.
    pub fn ended_hold(&self) -> bool {
        match self {
            Self::Trace(session) => session.ended_hold(),
            Self::Scan(_) => false,
        }
    }

    /// Pages pinned and released so far, to see whether anything is still going on.
    pub fn activity(&self) -> Result<u64, SessionError> {
        match self {
            Self::Trace(session) => session.activity(),
            Self::Scan(session) => Ok(session.activity()),
        }
    }
}
