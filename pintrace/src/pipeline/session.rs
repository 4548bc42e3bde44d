//! Turns the running kernel into a stream of events, from `Started` to `Stopped`, in mode trace or scan.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::unix::AsyncFd;

use pintrace_bpf::ring_fill::RingFill;
use pintrace_events::{Event, Stopped};
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_probes::table::{self, Purpose};
use pintrace_scan::scanner::ScanError;

use super::scan_session::ScanSession;
use super::start::{Mode, SessionError, SessionOptions};
use super::trace_session::TraceSession;

/// A session on the running kernel.
pub enum Session {
    /// Hooks trace pins and releases.
    Trace(Box<TraceSession>),
    /// Memory is scanned repeatedly.
    Scan(Box<ScanSession>),
}

impl Session {
    /// Starts a session, and returns the first events. In mode auto, scans if the kernel cannot be traced.
    pub fn start(roots: &Roots, options: &SessionOptions) -> Result<(Self, Vec<Event>), SessionError> {
        let kernel = Kernel::read(roots, table::functions())?;
        if options.mode == Mode::Scan {
            return Ok(Self::scan(&kernel, roots, options, String::new())?);
        }
        // A trace session keeps the symbols of `kernel`, so the facts are read again for a scan.
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

    /// Returns the number of kernel functions to which programs are attached.
    pub fn hooked_functions(&self) -> usize {
        match self {
            Self::Trace(session) => session
                .outcomes()
                .iter()
                .filter(|outcome| outcome.is_attached())
                .count(),
            Self::Scan(_) => 0,
        }
    }

    /// Detaches the finding hooks that the kernel calls often, one at each tick from now on.
    pub fn shed_findings(&mut self) {
        if let Self::Trace(session) = self {
            session.shed_findings();
        }
    }

    /// Returns the id and the purpose of each attached program.
    pub fn programs(&self) -> Vec<(u32, Purpose)> {
        match self {
            Self::Trace(session) => session.programs(),
            Self::Scan(_) => Vec::new(),
        }
    }

    /// Returns the fill of the ring buffer; `None` for a session without a ring buffer.
    pub fn ring_fill(&self) -> Option<Arc<RingFill>> {
        match self {
            Self::Trace(session) => session.ring_fill(),
            Self::Scan(_) => None,
        }
    }

    /// Returns true if the session reads page tables and /proc files of other processes, which needs privileges.
    pub fn reads_processes(&self) -> bool {
        matches!(self, Self::Scan(_))
    }

    /// Returns a descriptor that is readable while the ring buffer holds records; `None` for a session without a ring
    /// buffer.
    pub fn poll_ring(&self) -> std::io::Result<Option<AsyncFd<OwnedFd>>> {
        match self {
            Self::Trace(session) => session.poll_ring().map(Some),
            Self::Scan(_) => Ok(None),
        }
    }

    /// Sets the number of events that could not be written to a recording.
    pub fn count_unwritten(&mut self, total: u64) {
        match self {
            Self::Trace(session) => session.count_unwritten(total),
            Self::Scan(session) => session.count_unwritten(total),
        }
    }

    /// Appends the events of the records in the ring buffer to `events`.
    pub fn drain(&mut self, events: &mut Vec<Event>) -> Result<(), SessionError> {
        match self {
            Self::Trace(session) => session.drain(events),
            Self::Scan(_) => Ok(()),
        }
    }

    /// Returns the changes since the last sample, the balance and the losses, with a tick at the end.
    pub fn tick(&mut self) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Trace(session) => session.tick(),
            Self::Scan(session) => Ok(session.tick()?),
        }
    }

    /// Returns the changes since the last sample, the balance and the losses, without a tick.
    pub fn sample(&mut self) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Trace(session) => session.sample(),
            Self::Scan(_) => Ok(Vec::new()),
        }
    }

    /// Returns the time at which a sample is due before the next tick; `None` if no such sample is due.
    pub fn due(&self) -> Option<Instant> {
        match self {
            Self::Trace(session) => session.due(),
            Self::Scan(_) => None,
        }
    }

    /// Takes a sample and allows one more reconciliation. While [`Self::is_reconciling`], the caller takes further
    /// samples before [`Self::stop`].
    pub fn close(&mut self) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Trace(session) => session.close(),
            Self::Scan(_) => Ok(Vec::new()),
        }
    }

    /// Returns true if a reconciliation is in progress.
    pub fn is_reconciling(&self) -> bool {
        match self {
            Self::Trace(session) => session.is_reconciling(),
            Self::Scan(_) => false,
        }
    }

    /// Returns the last events of the stream.
    pub fn stop(&mut self, stopped: Stopped) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Trace(session) => session.stop(stopped),
            Self::Scan(session) => Ok(session.stop(stopped)?),
        }
    }

    /// Returns true if an ended process held pins at the last sample.
    pub fn ended_hold(&self) -> bool {
        match self {
            Self::Trace(session) => session.ended_hold(),
            Self::Scan(_) => false,
        }
    }

    /// Returns the number of pages pinned and released so far. The number is unchanged while no page is pinned or
    /// released.
    pub fn activity(&self) -> Result<u64, SessionError> {
        match self {
            Self::Trace(session) => session.activity(),
            Self::Scan(session) => Ok(session.activity()),
        }
    }
}
