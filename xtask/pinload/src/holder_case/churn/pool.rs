//! The workers as the controller sees them.

use std::os::unix::net::UnixStream;

use super::request::{self, Request};
use super::worker::Worker;
use crate::child::{self, ForkedChild};
use crate::failure::{Explain, Result};
use crate::holder_case::passing::pair;

const BUG: &str = "report this as a bug";

/// The controller's handle of a worker.
struct WorkerHandle {
    process: ForkedChild,
    requests: UnixStream,
}

/// The workers, each with an index.
pub(super) struct Pool(Vec<WorkerHandle>);

impl Pool {
    /// Forks the workers. The process must have only one thread.
    pub(super) fn new(size: usize) -> Result<Self> {
        let boxes = (0..size).map(|_| pair()).collect::<Result<Vec<_>>>()?;
        let (outboxes, inboxes): (Vec<_>, Vec<_>) = boxes.into_iter().unzip();
        let fork = |inbox: &UnixStream| {
            let (requests, other) = pair()?;
            let process = ForkedChild::fork(|parent| Worker::new(parent, inbox, &outboxes).serve(other))?;
            Ok(WorkerHandle { process, requests })
        };
        inboxes.iter().map(fork).collect::<Result<_>>().map(Self)
    }

    /// Returns the number of workers.
    pub(super) const fn size(&self) -> usize {
        self.0.len()
    }

    /// Returns the pid of a worker.
    pub(super) fn pid(&self, index: usize) -> i32 {
        self.0[index].process.pid().as_raw()
    }

    /// Returns the pids of the workers.
    pub(super) fn pids(&self) -> impl Iterator<Item = i32> {
        self.0.iter().map(|worker| worker.process.pid().as_raw())
    }

    /// Lets a worker carry out a request. Returns the worker's answer.
    pub(super) fn ask(&mut self, index: usize, request: Request) -> Result<i32> {
        let worker = &mut self.0[index];
        request::send(&worker.requests, request)?;
        if let Some([answer]) = worker.process.receive_numbers() {
            return i32::try_from(answer).failing("a pid is too large", BUG);
        }
        Err(self.0.swap_remove(index).process.ended_early()?)
    }

    /// Ends all workers. Returns the first failure of a worker.
    pub(super) fn end(self) -> Result<()> {
        let end = |worker: WorkerHandle| {
            request::send(&worker.requests, Request::End)?;
            worker.process.wait().and_then(child::check)
        };
        self.0.into_iter().map(end).fold(Ok(()), Result::and)
    }
}
