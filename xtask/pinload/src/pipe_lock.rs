//! A lock across threads and processes: one holder at a time pins and reads the pin counters.
//!
//! The lock is a pipe with one byte; the process or thread that has read the byte holds the lock. The pipe is created
//! before all threads and children, which therefore share the lock.

use std::fs::File;
use std::io::{Read, Write};

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use crate::failure::{Explain, Result};

const REMEDY: &str = "raise the limit of open files (ulimit -n)";

/// The lock for the pin counters, shared by all holders of one run.
#[derive(Debug)]
pub(crate) struct PipeLock {
    taken: File,
    given: File,
}

impl PipeLock {
    /// Creates a free lock.
    pub(crate) fn new() -> Result<Self> {
        let (taken, given) = pipe2(OFlag::O_CLOEXEC).failing("cannot create a pipe", REMEDY)?;
        let lock = Self {
            taken: File::from(taken),
            given: File::from(given),
        };
        lock.give()?;
        Ok(lock)
    }

    /// Runs `work` while this process holds the lock.
    pub(crate) fn with<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut token = [0];
        (&self.taken)
            .read_exact(&mut token)
            .failing("cannot wait for the lock of the pin counters", REMEDY)?;
        let result = work();
        self.give()?;
        result
    }

    fn give(&self) -> Result<()> {
        (&self.given)
            .write_all(&[1])
            .failing("cannot release the lock of the pin counters", REMEDY)
    }
}
