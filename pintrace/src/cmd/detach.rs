//! Detaches the programs of a session after the results are out.
//!
//! When the last program of a kernel function goes, the kernel waits until no task can be inside the trampoline
//! (`ftrace_shutdown`, kernel/trace/ftrace.c): up to 0.1 s for each function, one function after the other.

use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::pipeline::session::Session;

/// The time after which the user is told what the process is waiting for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Detaches all programs of a session. Writes a message if that takes a while.
pub(super) fn detach(session: Session, messages: &mut dyn Write) {
    let functions = session.hooked_functions();
    told_after(
        PATIENCE,
        move || drop(session),
        || {
            // The work goes on if the message cannot be written.
            let _ = writeln!(messages, "pintrace: detaching from {functions} kernel functions");
        },
    );
}

/// Does the work in a thread, and calls `tell` once if the work takes longer than `patience`.
fn told_after(patience: Duration, work: impl FnOnce() + Send, tell: impl FnOnce()) {
    thread::scope(|scope| {
        let (done, ended) = mpsc::channel();
        scope.spawn(move || {
            work();
            drop(done);
        });
        if ended.recv_timeout(patience) == Err::<(), _>(RecvTimeoutError::Timeout) {
            tell();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn only_slow_work_is_announced() {
        let mut told = false;
        told_after(Duration::from_mins(1), || (), || told = true);
        assert!(!told);
        // The work waits for the message.
        let (announced, wait) = channel();
        told_after(
            Duration::from_millis(1),
            move || wait.recv().unwrap(),
            || announced.send(()).unwrap(),
        );
    }
}
