//! The running kernel as a stream of events, from `Started` to `Stopped`, by whichever witness it allows.

use std::os::fd::OwnedFd;
use std::time::Instant;

use tokio::io::unix::AsyncFd;

use pintrace_events::{Event, Stopped};
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_probes::table;
use pintrace_scan::scanner::ScanError;

use super::start::{SessionError, SessionOptions, Witness};
use super::traced::Traced;
use super::watched::Watched;

/// A kernel that tells what happens.
pub enum Session {
    /// By its functions.
    Traced(Box<Traced>),
    /// By its memory.
    Watched(Box<Watched>),
}

impl Session {
    /// Begins. The first events are ready.
    pub fn start(roots: &Roots, options: &SessionOptions) -> Result<(Self, Vec<Event>), SessionError> {
        let kernel = Kernel::read(roots, table::functions())?;
        if options.witness == Witness::State {
            return Ok(Self::watch(&kernel, roots, options, String::new())?);
        }
        // Read again only where nothing can be traced: what is traced keeps the symbols.
        match Traced::start(kernel, roots, options) {
            Ok((traced, first)) => Ok((Self::Traced(Box::new(traced)), first)),
            Err(SessionError::Start(why)) if options.witness == Witness::Auto => {
                let kernel = Kernel::read(roots, table::functions())?;
                Self::watch(&kernel, roots, options, why.to_string()).map_err(|scanned| {
                    SessionError::Neither {
                        traced: Box::new(why),
                        scanned: Box::new(scanned),
                    }
                })
            }
            Err(error) => Err(error),
        }
    }

    fn watch(
        kernel: &Kernel,
        roots: &Roots,
        options: &SessionOptions,
        why: String,
    ) -> Result<(Self, Vec<Event>), ScanError> {
        let (watched, first) = Watched::start(kernel, roots, options, why)?;
        Ok((Self::Watched(Box::new(watched)), first))
    }

    /// Whether it goes on reading what only a privileged process may read.
    pub fn reads_processes(&self) -> bool {
        matches!(self, Self::Watched(_))
    }

    /// Readable when the kernel has something to tell before the next tick; `None` if it never has.
    pub fn watch_ring(&self) -> std::io::Result<Option<AsyncFd<OwnedFd>>> {
        match self {
            Self::Traced(traced) => traced.watch_ring().map(Some),
            Self::Watched(_) => Ok(None),
        }
    }

    /// Counts events that a recording could not take.
    pub fn count_unwritten(&mut self, total: u64) {
        match self {
            Self::Traced(traced) => traced.count_unwritten(total),
            Self::Watched(watched) => watched.count_unwritten(total),
        }
    }

    /// What the kernel has told since the last call.
    pub fn drain(&mut self) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Traced(traced) => traced.drain(),
            Self::Watched(_) => Ok(Vec::new()),
        }
    }

    /// Everything that changed, and the moment's truth and loss; ends with a tick.
    pub fn tick(&mut self) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Traced(traced) => traced.tick(),
            Self::Watched(watched) => Ok(watched.tick()?),
        }
    }

    /// Everything that changed, between two ticks.
    pub fn sample(&mut self) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Traced(traced) => traced.sample(),
            Self::Watched(_) => Ok(Vec::new()),
        }
    }

    /// When a sample is due that does not wait for the next tick; `None` if there is none.
    pub fn due(&self) -> Option<Instant> {
        match self {
            Self::Traced(traced) => traced.due(),
            Self::Watched(_) => None,
        }
    }

    /// Begins to end: a sample after which, for as long as [`Self::is_mending`], others are to come before the last.
    pub fn close(&mut self) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Traced(traced) => traced.close(),
            Self::Watched(_) => Ok(Vec::new()),
        }
    }

    /// Whether what was lost is being set right.
    pub fn is_mending(&self) -> bool {
        match self {
            Self::Traced(traced) => traced.is_mending(),
            Self::Watched(_) => false,
        }
    }

    /// The last events.
    pub fn stop(&mut self, stopped: Stopped) -> Result<Vec<Event>, SessionError> {
        match self {
            Self::Traced(traced) => traced.stop(stopped),
            Self::Watched(watched) => Ok(watched.stop(stopped)?),
        }
    }

    /// Whether a process that has ended still holds pins, as far as the last tick told.
    pub fn ended_hold(&self) -> bool {
        match self {
            Self::Traced(traced) => traced.ended_hold(),
            Self::Watched(_) => false,
        }
    }

    /// Pages pinned and released so far, to see whether anything is still going on.
    pub fn activity(&self) -> Result<u64, SessionError> {
        match self {
            Self::Traced(traced) => traced.activity(),
            Self::Watched(watched) => Ok(watched.activity()),
        }
    }
}
