//! Descriptors that a process passes to another.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{SYS_pidfd_getfd, SYS_pidfd_open, syscall};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::unistd::{getpid, getppid};

use super::memory::{PAGES, small};
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

fn pair() -> Result<(UnixStream, UnixStream)> {
    UnixStream::pair().failing("cannot create a pair of sockets", "raise ulimit -n")
}

/// Sends the number of a descriptor, and with `carry` the descriptor itself.
fn send(socket: &UnixStream, descriptor: impl AsFd, carry: bool) -> nix::Result<()> {
    let number = [descriptor.as_fd().as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&number)];
    let data = number[0].to_ne_bytes();
    sendmsg::<()>(
        socket.as_raw_fd(),
        &[IoSlice::new(&data)],
        if carry { &rights } else { &[] },
        MsgFlags::empty(),
        None,
    )
    .map(drop)
}

fn receive_and_wait(parent: &ParentLink, socket: &UnixStream) -> Result<()> {
    let (number, carried) = receive(socket).failing("cannot receive a message", BUG)?;
    let _ring = match carried {
        Some(ring) => ring,
        None => take_from_parent(number).unavailable(
            "cannot take the ring from the parent",
            "run as root on kernel 5.6 or later (pidfd_getfd)",
        )?,
    };
    parent.ready()?;
    parent.wait()
}

/// Returns the number of the descriptor in its sender, and the descriptor if the message carries the descriptor.
fn receive(socket: &UnixStream) -> nix::Result<(RawFd, Option<OwnedFd>)> {
    let mut data = [0; size_of::<RawFd>()];
    let mut space = cmsg_space!(RawFd);
    let mut slices = [IoSliceMut::new(&mut data)];
    let message = recvmsg::<()>(
        socket.as_raw_fd(),
        &mut slices,
        Some(&mut space),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let carried = message.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmRights(descriptors) => descriptors.first().copied(),
        _ => None,
    });
    // SAFETY: the kernel has just created the descriptor for this process; nothing else owns it.
    let carried = carried.map(|number| unsafe { OwnedFd::from_raw_fd(number) });
    Ok((RawFd::from_ne_bytes(data), carried))
}

/// Takes a descriptor of the parent by its number.
fn take_from_parent(number: RawFd) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    let process = owned(unsafe { syscall(SYS_pidfd_open, getppid().as_raw(), 0) })?;
    // SAFETY: the call takes no pointer.
    owned(unsafe { syscall(SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })
}

/// Returns the descriptor that a system call has created.
fn owned(result: i64) -> nix::Result<OwnedFd> {
    let number = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the descriptor has just been created; nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_number_and_may_carry_the_descriptor() {
        let (own, other) = pair().unwrap();
        let number = other.as_raw_fd();
        send(&own, &other, false).unwrap();
        let (received, carried) = receive(&other).unwrap();
        assert_eq!((received, carried.is_none()), (number, true));
        send(&own, &other, true).unwrap();
        let (received, carried) = receive(&other).unwrap();
        assert_eq!(received, number);
        assert_ne!(carried.unwrap().as_raw_fd(), number);
    }
}
