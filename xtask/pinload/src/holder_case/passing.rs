//! The ways of a descriptor from one process to another: in a message, or by its number in the process that has it open.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{SYS_pidfd_getfd, SYS_pidfd_open, syscall};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::unistd::Pid;

use crate::failure::{Explain, Result};

/// Returns two connected sockets.
pub(super) fn pair() -> Result<(UnixStream, UnixStream)> {
    UnixStream::pair().failing("cannot create a pair of sockets", "raise ulimit -n")
}

/// Sends the number of a descriptor, and with `carry` the descriptor itself.
pub(super) fn send(socket: &UnixStream, descriptor: impl AsFd, carry: bool) -> nix::Result<()> {
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

/// Returns the number of the descriptor in its sender, and the descriptor if the message carries the descriptor.
pub(super) fn receive(socket: &UnixStream) -> nix::Result<(RawFd, Option<OwnedFd>)> {
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

/// Takes a descriptor of a process by its number.
pub(super) fn take_from(pid: Pid, number: RawFd) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    let process = owned(unsafe { syscall(SYS_pidfd_open, pid.as_raw(), 0) })?;
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
