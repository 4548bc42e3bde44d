//! Descriptors that a process passes to another.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::unistd::{getpid, getppid};

use super::memory::{PAGES, small};
use super::passing::{pair, receive, send, take_from};
use super::ring::Ring;
use super::situation::Situation;
use super::umem;
use crate::child::{ForkedChild, ParentLink};
use crate::failure::{Explain, Result};
use crate::memory::{Buffer, Sharing};

const BUG: &str = "report this as a bug";
const REFUSED: &str = "use a kernel that lets a message carry a ring; new stable releases refuse";

/// A child that has started before the ring receives the ring, whose buffer is memory of this process. Then this
/// process closes the ring.
pub(super) fn passed_ring() -> Result<Situation> {
    let (own, other) = pair()?;
    let child = ForkedChild::fork(|parent| receive_and_wait(parent, &other))?;
    let (ring, buffer) = registered()?;
    // The child takes the descriptor by its number if the kernel refuses the message.
    send(&own, ring.as_fd(), true)
        .or_else(|_| send(&own, ring.as_fd(), false))
        .failing("cannot send a message to the child", BUG)?;
    let child = child.when_ready()?;
    drop(ring);
    let mut situation = Situation::default();
    situation.is_held_by(child.pid(), PAGES, "io_uring");
    situation.is_innocent(getpid());
    situation.keep_child(child);
    situation.keep(buffer);
    Ok(situation)
}

/// The message with a ring is not received. The sender has closed the ring and unmapped the buffer.
pub(super) fn in_flight_ring() -> Result<Situation> {
    in_flight(|| registered().map(|(ring, buffer)| (ring.into(), buffer)))
}

/// The same with a socket that has a umem.
pub(super) fn in_flight_socket() -> Result<Situation> {
    in_flight(umem::registered)
}

fn in_flight(make: impl FnOnce() -> Result<(OwnedFd, Buffer)>) -> Result<Situation> {
    let (own, other) = pair()?;
    let child = ForkedChild::holding(|| Ok(&other))?;
    drop(other);
    let (descriptor, mut buffer) = make()?;
    send(&own, descriptor.as_fd(), true).unavailable("cannot send the descriptor in a message", REFUSED)?;
    drop(descriptor);
    buffer.unmap()?;
    let mut situation = Situation::default();
    situation.is_held_by_nobody(PAGES);
    situation.is_innocent(getpid());
    situation.is_innocent(child.pid());
    situation.keep_child(child);
    situation.keep(own);
    Ok(situation)
}

fn registered() -> Result<(Ring, Buffer)> {
    let ring = Ring::new()?;
    let buffer = small(PAGES, Sharing::Private)?;
    ring.register(&buffer)?;
    Ok((ring, buffer))
}

fn receive_and_wait(parent: &ParentLink, socket: &UnixStream) -> Result<()> {
    let (number, carried) = receive(socket).failing("cannot receive a message", BUG)?;
    let _ring = match carried {
        Some(ring) => ring,
        None => take_from(getppid(), number).unavailable(
            "cannot take the ring from the parent",
            "run as root on kernel 5.6 or later (pidfd_getfd)",
        )?,
    };
    parent.ready()?;
    parent.wait()
}
