//! A child that executes pinload again, and the new program, which waits for its parent.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::ready::READY;
use super::{NO_PROCESS, ParentLink};
use crate::failure::{Explain, Failure, Result};

impl ParentLink {
    /// Replaces the program of this process. The pipes become standard input and standard output of the new program,
    /// which is [`wait_as_new_program`].
    pub(crate) fn exec(&self, command: &mut Command) -> Result<()> {
        let own = |pipe: &File| pipe.try_clone().failing("cannot duplicate a pipe", NO_PROCESS);
        let error = command
            .stdin(own(&self.resume)?)
            .stdout(own(&self.messages)?)
            .exec();
        Err(error).failing("cannot execute pinload again", "report this as a bug")
    }
}

/// Tells the parent through standard output that the new program runs, and waits until the parent lets the program
/// continue.
pub(crate) fn wait_as_new_program() -> Result<()> {
    let mut output = io::stdout();
    output
        .write_all(&[READY])
        .and_then(|()| output.flush())
        .and_then(|()| io::stdin().read(&mut [0]))
        .map(drop)
        .map_err(|_| Failure::peer_gone())
}
