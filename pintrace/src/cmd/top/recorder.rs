//! Records the session of the live view.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pintrace_events::units::Nanos;
use pintrace_events::{Body, Event, Stopped};
use pintrace_record::{EventLog, LogError, LogFile};
use pintrace_tui::{RecordedFile, Recorder};

use super::super::save_snapshot::{file_name, sandbox_remedy};
use crate::pipeline::sink::{Sink, SinkError};

/// Bytes of compressed events that are kept for a recording that begins later. The minute of docs/pictures/demo.pintrace takes
/// 28 KB.
const KEPT: usize = 32 << 20;

/// The events of the session, and the file that they are written to.
#[derive(Clone)]
pub(super) struct SessionLog(Arc<Mutex<Shared>>);

struct Shared {
    log: EventLog,
    /// Time of the last event.
    latest: Nanos,
    /// The session may create files everywhere.
    no_sandbox: bool,
}

impl SessionLog {
    /// Creates an empty log.
    pub(super) fn new(no_sandbox: bool) -> std::io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Shared {
            log: EventLog::new(KEPT)?,
            latest: Nanos(0),
            no_sandbox,
        }))))
    }

    /// Ends the file that is being written, if there is one, after the last event of the session.
    pub(super) fn finish(&self) -> Option<Result<RecordedFile, String>> {
        match self.lock().log.finish() {
            Err(LogError::Idle) => None,
            finished => Some(finished.map(recorded).map_err(|error| error.to_string())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Each method leaves a log that can be used.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for SessionLog {
    fn take(&mut self, events: &[Event]) -> Result<(), SinkError> {
        let mut shared = self.lock();
        for event in events {
            shared.latest = shared.latest.max(event.time);
            shared.log.append(event);
        }
        Ok(())
    }
}

impl Recorder for SessionLog {
    fn start(&self, path: Option<&Path>) -> Result<PathBuf, String> {
        let mut shared = self.lock();
        let no_sandbox = shared.no_sandbox;
        let mut record = |path: &Path| shared.log.record(path).map(|()| path.to_owned());
        let chosen = file_name("pintrace");
        let recorded = match (path, record(path.unwrap_or(Path::new(&chosen)))) {
            // The session has given up the right to write everywhere.
            (None, Err(error)) if is_refused(&error) => record(&std::env::temp_dir().join(chosen)),
            (_, recorded) => recorded,
        };
        recorded.map_err(|error| {
            if is_refused(&error) && !no_sandbox {
                format!("{error}; {}", sandbox_remedy())
            } else {
                error.to_string()
            }
        })
    }

    fn stop(&self) -> Result<RecordedFile, String> {
        let mut shared = self.lock();
        let last = Event {
            time: shared.latest,
            body: Body::Stopped(Stopped {
                reason: "quit".to_owned(),
                exit_code: None,
            }),
        };
        let stopped = shared.log.stop(&last);
        stopped.map(recorded).map_err(|error| error.to_string())
    }

    fn file(&self) -> Result<Option<RecordedFile>, String> {
        let mut shared = self.lock();
        match shared.log.take_failure() {
            Some(failure) => Err(failure.to_string()),
            None => Ok(shared.log.file().map(recorded)),
        }
    }
}

impl std::fmt::Debug for SessionLog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SessionLog")
    }
}

/// Returns true if no file may be created there.
fn is_refused(error: &LogError) -> bool {
    let refused = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    matches!(error, LogError::Create { source, .. } if refused.contains(&source.kind()))
}

fn recorded(file: LogFile) -> RecordedFile {
    RecordedFile {
        path: file.path,
        bytes: file.bytes,
        missing: file.missing,
    }
}
