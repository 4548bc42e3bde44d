//! A thread that takes and releases test pins, so that a system call that does not end cannot stop the start.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::path::Path;

/// Most time for the system calls of one path.
const MOST_TIME: Duration = Duration::from_secs(1);

/// The thread. The thread ends when the value is dropped. A thread whose system call does not end is left alone, and keeps
/// the capabilities of the start until the call ends.
pub(super) struct Worker {
    pid_tgid: u64,
    paths: Option<Sender<Path>>,
    done: Receiver<Result<(), String>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Worker {
    pub(super) fn start() -> Result<Self, String> {
        let (paths, wanted) = mpsc::channel::<Path>();
        let (ids, id) = mpsc::channel();
        let (results, done) = mpsc::channel();
        let thread = thread::Builder::new().spawn(move || {
            let _ = ids.send(own_pid_tgid());
            for path in wanted {
                if results.send(path.take_and_release()).is_err() {
                    break;
                }
            }
        });
        let thread = thread.map_err(|error| format!("no thread can be started: {error}"))?;
        let pid_tgid = id
            .recv_timeout(MOST_TIME)
            .map_err(|_| "a thread did not start in time".to_owned())?;
        Ok(Self {
            pid_tgid,
            paths: Some(paths),
            done,
            thread: Some(thread),
        })
    }

    /// Returns the ids of the thread as the hooks see them: tgid << 32 | tid.
    pub(super) fn pid_tgid(&self) -> u64 {
        self.pid_tgid
    }

    /// Takes and releases pins on a path. The error is a reason to skip the path.
    pub(super) fn run(&mut self, path: Path) -> Result<(), String> {
        let Some(paths) = &self.paths else {
            return Err("the test of another path did not end".to_owned());
        };
        let _ = paths.send(path);
        self.done.recv_timeout(MOST_TIME).unwrap_or_else(|error| {
            self.paths = None;
            Err(match error {
                RecvTimeoutError::Timeout => format!("no result after {} s", MOST_TIME.as_secs()),
                RecvTimeoutError::Disconnected => "the thread has ended".to_owned(),
            })
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let ends_at_once = self.paths.take().is_some();
        if ends_at_once && let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn own_pid_tgid() -> u64 {
    // SAFETY: getpid and gettid take no pointers.
    let (pid, tid) = unsafe { (libc::getpid(), libc::syscall(libc::SYS_gettid)) };
    u64::from(pid.unsigned_abs()) << 32 | tid.unsigned_abs()
}
