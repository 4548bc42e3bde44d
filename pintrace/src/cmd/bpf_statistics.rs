//! The hidden command `pintrace bpf-statistics`: enables the kernel's BPF statistics for a session that has dropped the
//! privilege to do so. See [`crate::pipeline::own_cost::statistics`].

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;

use pintrace_bpf::statistics;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stdin, stdout};

use super::privileges;
use crate::exit::Exit;
use crate::pipeline::own_cost::statistics::{MOST_ENABLED, OFF, ON};

/// The name of the process, at most 15 characters.
const NAME: &CStr = c"pintrace-stats";

/// The command line of `bpf-statistics`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Do not restrict the process.
    #[arg(long)]
    pub no_sandbox: bool,
}

/// Answers requests from standard input until its end. Each request is one byte. Each answer is an error number of the
/// kernel, or 0, as four bytes.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    privileges::keep_statistics(args.no_sandbox)?;
    // Without a name, the process would have the name of the link by which it was started.
    rustix::thread::set_name(NAME)?;
    let limit = Timespec::try_from(MOST_ENABLED)?;
    let mut enabled: Option<OwnedFd> = None;
    loop {
        let mut ready = [PollFd::from_borrowed_fd(stdin(), PollFlags::IN)];
        if poll(&mut ready, enabled.as_ref().map(|_| &limit))? == 0 {
            // The session was stopped, or has forgotten the request.
            enabled = None;
            continue;
        }
        let mut request = [0; 1];
        if rustix::io::read(stdin(), &mut request)? == 0 {
            return Ok(Exit::Done);
        }
        // The old descriptor is closed first.
        drop(enabled.take());
        let answer = match request[0] {
            ON => statistics::enable().map(|descriptor| enabled = Some(descriptor)),
            OFF => Ok(()),
            _ => Err(io::Error::from_raw_os_error(
                rustix::io::Errno::INVAL.raw_os_error(),
            )),
        };
        let code = answer.map_or_else(|error| error.raw_os_error().unwrap_or(-1), |()| 0);
        rustix::io::write(stdout(), &code.to_le_bytes())?;
    }
}
