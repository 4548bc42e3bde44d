//! The requests of the controller to a worker: one JSON line each.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde::{Deserialize, Serialize};

use super::truth::RingId;
use crate::failure::{Explain, Failure, Result};

/// A request. The worker answers each with one number: the pid of a child that it has forked, or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    /// Create a ring.
    Open { ring: RingId },
    /// Register new memory with a ring that has no buffer.
    Register { ring: RingId, pages: u64 },
    /// Remove the buffer of a ring.
    Unregister { ring: RingId },
    /// Make another descriptor of a ring.
    Duplicate { ring: RingId },
    /// Pass a ring to the worker with this index.
    Pass { ring: RingId, to: usize },
    /// Receive a ring that the process `from` has passed.
    Receive { ring: RingId, from: i32 },
    /// Close one descriptor of a ring.
    Close { ring: RingId },
    /// Fork a child, which inherits all rings. With `program`, the child executes pinload again.
    Fork { program: bool },
    /// End the child.
    EndChild,
    /// End, and the child as well.
    End,
}

/// Sends a request.
pub(super) fn send(mut socket: &UnixStream, request: Request) -> Result<()> {
    let mut line = serde_json::to_string(&request).failing("cannot write JSON", "report this as a bug")?;
    line.push('\n');
    let sent = socket.write_all(line.as_bytes());
    sent.failing("cannot send a request to a worker", "see its message")
}

/// Receives the next request.
pub(super) fn receive(socket: &mut BufReader<UnixStream>) -> Result<Request> {
    let mut line = String::new();
    match socket.read_line(&mut line) {
        Ok(length) if length > 0 => {
            serde_json::from_str(&line).failing("cannot read a request", "report this as a bug")
        }
        _ => Err(Failure::peer_gone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_arrive_as_they_were_sent() {
        let (own, other) = UnixStream::pair().unwrap();
        let requests = [Request::Pass { ring: 3, to: 7 }, Request::End];
        requests.into_iter().try_for_each(|one| send(&own, one)).unwrap();
        drop(own);
        let mut other = BufReader::new(other);
        let mut received = || receive(&mut other);
        assert_eq!([received().unwrap(), received().unwrap()], requests);
        assert_eq!(received().unwrap_err().code, 0);
    }
}
