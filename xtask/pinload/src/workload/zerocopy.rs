//! MSG_ZEROCOPY over loopback TCP: FOLL_GET references until the peer has received the bytes, and no pins.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;

use super::{Workload, WorkloadInfo};
use crate::failure::{Explain, Failure, Result};
use crate::memory::Buffer;
use crate::pins::PinCounts;

const NO_NETWORK: &str = "bring the loopback device up: ip link set lo up";
const NO_ZEROCOPY: &str = "use kernel 4.14 or later";
const NO_MEMLOCK: &str = "raise ulimit -l and net.core.optmem_max, or ask for fewer --pages";
/// Bytes of each call; one skb holds at most 17 pages.
const CHUNK: usize = 64 << 10;

/// Both ends of a connection, and the memory that is sent through it.
pub(super) struct Zerocopy {
    ends: Option<(TcpStream, TcpStream)>,
    buffer: Buffer,
}

impl Zerocopy {
    /// Connects two sockets of this process.
    pub(super) fn new(buffer: Buffer) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unavailable("cannot listen", NO_NETWORK)?;
        let address = listener.local_addr().unavailable("cannot listen", NO_NETWORK)?;
        let sender = TcpStream::connect(address).unavailable("cannot connect to itself", NO_NETWORK)?;
        let (receiver, _) = listener.accept().unavailable("cannot accept", NO_NETWORK)?;
        for end in [&sender, &receiver] {
            end.set_nonblocking(true)
                .failing("cannot make a socket non-blocking", NO_NETWORK)?;
        }
        let one: libc::c_int = 1;
        let length = libc::socklen_t::try_from(size_of_val(&one)).unwrap_or(0);
        // SAFETY: the pointer and the length describe `one`, which the kernel only reads.
        let result = unsafe {
            libc::setsockopt(
                sender.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ZEROCOPY,
                (&raw const one).cast(),
                length,
            )
        };
        Errno::result(result).unavailable("cannot enable SO_ZEROCOPY", NO_ZEROCOPY)?;
        Ok(Self {
            ends: Some((sender, receiver)),
            buffer,
        })
    }

    /// Sends one chunk. Returns `None` if the receiver must read first.
    fn send(&self, sender: &TcpStream, offset: usize, bytes: usize) -> Result<Option<usize>> {
        let pointer: *const u8 = std::ptr::with_exposed_provenance(self.buffer.address() + offset);
        let flags = libc::MSG_ZEROCOPY | libc::MSG_NOSIGNAL;
        // SAFETY: the bytes lie inside the buffer, which is mapped and lives as long as `self`.
        let sent = unsafe { libc::send(sender.as_raw_fd(), pointer.cast(), bytes, flags) };
        match Errno::result(sent) {
            Ok(sent) => Ok(usize::try_from(sent).ok()),
            Err(Errno::EAGAIN) => Ok(None),
            Err(error) => Err(error).failing("cannot send without copying", NO_MEMLOCK),
        }
    }
}

/// Reads all bytes that have arrived.
fn drain(mut receiver: &TcpStream) -> Result<()> {
    let mut sink = vec![0; CHUNK];
    loop {
        match receiver.read(&mut sink) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(Failure::failed(format!("cannot receive: {error}"), NO_NETWORK)),
        }
    }
}

impl Workload for Zerocopy {
    fn pin(&mut self) -> Result<PinCounts> {
        let (sender, receiver) = self
            .ends
            .as_ref()
            .ok_or_else(|| Failure::failed("the connection is closed", "pin before closing"))?;
        let mut offset = 0;
        while offset < self.buffer.bytes() {
            match self.send(sender, offset, (self.buffer.bytes() - offset).min(CHUNK))? {
                Some(sent) => offset += sent,
                None => drain(receiver)?,
            }
        }
        Ok(PinCounts::lasting(Some(0), Some(0)))
    }

    fn unpin(&mut self) -> Result<()> {
        self.ends.as_ref().map_or(Ok(()), |(_, receiver)| drain(receiver))
    }

    fn close(&mut self) -> Result<()> {
        self.ends = None;
        Ok(())
    }

    fn info(&self) -> WorkloadInfo {
        WorkloadInfo {
            address: self.buffer.address(),
            ..WorkloadInfo::default()
        }
    }

    fn buffer(&mut self) -> Option<&mut Buffer> {
        Some(&mut self.buffer)
    }
}
