//! A network block device (nbd) whose server is a child of this process. The server answers reads of one range only when
//! this process allows it, so that a read takes as long as the caller wants.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use crate::child::{self, ForkedChild, ParentLink};
use crate::failure::{Explain, Failure, Result};
use crate::memory::PAGE;
use crate::wait::wait_for;

/// The device.
pub(crate) const DEVICE: &str = "/dev/nbd0";
/// Offset of the first byte whose read waits.
pub(crate) const HELD: u64 = 1 << 20;
/// The byte of which the whole device consists.
pub(crate) const CONTENT: u8 = 0x5a;

const BUG: &str = "report this as a bug of pinload";
/// Number of blocks of [`PAGE`] bytes.
const BLOCKS: i32 = 4096;
/// `NBD_REQUEST_MAGIC` and `NBD_REPLY_MAGIC` (include/uapi/linux/nbd.h).
const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;
/// Bytes of a `struct nbd_request`.
const REQUEST_BYTES: usize = 28;
/// `NBD_CMD_READ` and `NBD_CMD_DISC`.
const READ: u32 = 0;
const DISCONNECT: u32 = 2;

mod raw {
    nix::ioctl_write_int_bad!(set_socket, 0xab00);
    nix::ioctl_write_int_bad!(set_block_size, 0xab01);
    nix::ioctl_none_bad!(serve, 0xab03);
    nix::ioctl_none_bad!(clear_socket, 0xab04);
    nix::ioctl_write_int_bad!(set_blocks, 0xab07);
    nix::ioctl_none_bad!(disconnect, 0xab08);
}

/// The running server.
pub(crate) struct NetworkDisk(ForkedChild);

impl NetworkDisk {
    /// Starts the server, and waits until the device can be read. The process must have only one thread.
    pub(crate) fn start() -> Result<Self> {
        if !Path::new(DEVICE).exists() {
            return Err(Failure::unavailable(
                format!("there is no {DEVICE}"),
                "load the module nbd, as root",
            ));
        }
        let mut this = Self(ForkedChild::fork(run)?);
        this.message()?;
        Ok(this)
    }

    /// Opens the device for direct I/O.
    pub(crate) fn open() -> Result<File> {
        use std::os::unix::fs::OpenOptionsExt;
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECT)
            .open(DEVICE)
            .failing(&format!("cannot open {DEVICE}"), "run as root")
    }

    /// Waits until a read of the held range has reached the server.
    pub(crate) fn await_read(&mut self) -> Result<()> {
        self.message()
    }

    /// Lets the server answer the read.
    pub(crate) fn answer(&mut self) -> Result<()> {
        self.0.resume()
    }

    /// Stops the server.
    pub(crate) fn stop(self) -> Result<()> {
        child::check(self.0.finish()?)
    }

    fn message(&mut self) -> Result<()> {
        self.0.messages().read_exact(&mut [0]).unavailable(
            "the server of the network block device has ended",
            "see its message",
        )
    }
}

/// Serves the device until the parent stops the server.
fn run(parent: &ParentLink) -> Result<()> {
    const NO_DEVICE: &str = "load the module nbd, as root, and leave /dev/nbd0 to pinload";
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open(DEVICE)
        .unavailable(&format!("cannot open {DEVICE}"), NO_DEVICE)?;
    let (kernel, server) = UnixStream::pair().failing("cannot create a socket", "raise ulimit -n")?;
    let descriptor = device.as_raw_fd();
    let ready = |result: nix::Result<i32>| result.unavailable("cannot set up the device", NO_DEVICE);
    // SAFETY: these ioctls take numbers only.
    unsafe {
        ready(raw::set_socket(descriptor, kernel.as_raw_fd()))?;
        ready(raw::set_block_size(descriptor, i32::try_from(PAGE).unwrap_or(0)))?;
        ready(raw::set_blocks(descriptor, BLOCKS))?;
    }
    let (held, arrival) = channel();
    let (permit, allowed) = channel();
    thread::scope(|scope| {
        // SAFETY: the ioctl takes no argument, and returns at the disconnect.
        let kernel_side = scope.spawn(|| unsafe { raw::serve(descriptor) });
        let server_side = scope.spawn(move || serve(server, &held, &allowed));
        let played = follow(parent, &arrival, &permit);
        drop(permit);
        // SAFETY: these ioctls take no argument.
        let _ = unsafe { raw::disconnect(descriptor) };
        let outcome = server_side.join();
        let _ = kernel_side.join();
        // SAFETY: as above.
        let _ = unsafe { raw::clear_socket(descriptor) };
        played?;
        match outcome {
            Ok(result) => result.failing("cannot serve the device", BUG),
            Err(_) => Err(Failure::failed("the server has panicked", BUG)),
        }
    })
}

/// Tells the parent that the device is ready and that the held read has arrived, and passes on the answers.
fn follow(parent: &ParentLink, arrival: &Receiver<()>, permit: &Sender<()>) -> Result<()> {
    let readable = wait_for(Duration::from_secs(30), Duration::from_millis(5), || {
        let device = NetworkDisk::open()?;
        let mut page = Page([0; PAGE]);
        Ok(device.read_exact_at(&mut page.0, 0).is_ok())
    })?;
    if !readable {
        return Err(Failure::failed("the device cannot be read", BUG));
    }
    parent.send(&[1])?;
    arrival.recv().failing("no read has arrived", BUG)?;
    parent.send(&[1])?;
    parent.wait()?;
    let _ = permit.send(());
    parent.wait()
}

/// Memory for direct I/O.
#[repr(align(4096))]
struct Page([u8; PAGE]);

/// Answers requests until the kernel disconnects. The first read of the held range waits.
fn serve(mut socket: UnixStream, held: &Sender<()>, allowed: &Receiver<()>) -> std::io::Result<()> {
    let mut waited = false;
    loop {
        let mut request = [0; REQUEST_BYTES];
        if socket.read_exact(&mut request).is_err() {
            return Ok(());
        }
        let word = |at: usize| u32::from_be_bytes(request[at..at + 4].try_into().unwrap_or_default());
        let offset = u64::from(word(16)) << 32 | u64::from(word(20));
        if word(0) != REQUEST {
            return Err(Errno::EPROTO.into());
        }
        let kind = word(4) & 0xffff;
        if kind == DISCONNECT {
            return Ok(());
        }
        let mut reply = [REPLY.to_be_bytes(), [0; 4]].concat();
        reply.extend(&request[8..16]);
        if kind == READ {
            if offset >= HELD && !waited {
                waited = true;
                // The other side ends only with this process.
                let _ = held.send(());
                let _ = allowed.recv();
            }
            reply.resize(reply.len() + word(24) as usize, CONTENT);
        }
        socket.write_all(&reply)?;
    }
}
