//! The commands of /dev/infiniband/uverbs: each is written to the device, with the address of its answer
//! (rdma/ib_user_verbs.h).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;

/// Numbers of the commands (`enum ib_uverbs_write_cmds`).
mod command {
    pub(super) const GET_CONTEXT: u32 = 0;
    pub(super) const ALLOC_PD: u32 = 3;
    pub(super) const REG_MR: u32 = 9;
    pub(super) const DEREG_MR: u32 = 13;
}

/// `IB_UVERBS_ACCESS_LOCAL_WRITE`.
const LOCAL_WRITE: u32 = 1;
/// Words of the longest answer.
const ANSWER_WORDS: usize = 4;

/// An open device with a protection domain.
pub(crate) struct RdmaContext {
    device: File,
    domain: u32,
    /// The descriptor for asynchronous events, which each context has.
    _events: OwnedFd,
}

impl RdmaContext {
    /// Opens a device. The kernel takes commands only from a process with the credentials of this moment.
    pub(super) fn open(node: &Path) -> io::Result<Self> {
        let device = OpenOptions::new().read(true).write(true).open(node)?;
        let [events, ..] = ask(&device, command::GET_CONTEXT, 2, &[])?;
        let events = i32::try_from(events).map_err(|_| Errno::EBADF)?;
        // SAFETY: the command has just returned the descriptor; nothing else owns it.
        let events = unsafe { OwnedFd::from_raw_fd(events) };
        let [domain, ..] = ask(&device, command::ALLOC_PD, 1, &[])?;
        Ok(Self {
            device,
            domain,
            _events: events,
        })
    }

    /// Registers memory for local writes, and returns the handle of the region.
    pub(crate) fn register(&self, address: usize, bytes: usize) -> Result<u32, Errno> {
        let address = words(address as u64);
        let length = words(bytes as u64);
        // Start, length, the device's address, domain, access.
        let arguments = [address, length, address, [self.domain, LOCAL_WRITE]].concat();
        let [region, ..] = ask(&self.device, command::REG_MR, 3, &arguments)?;
        Ok(region)
    }

    /// Deregisters a region.
    pub(crate) fn deregister(&self, region: u32) -> Result<(), Errno> {
        send(&self.device, command::DEREG_MR, 0, &[region])
    }
}

/// Gives the kernel a command, and returns its answer of `answer_words` words.
fn ask(
    device: &File,
    command: u32,
    answer_words: u16,
    arguments: &[u32],
) -> Result<[u32; ANSWER_WORDS], Errno> {
    // The kernel writes the answer.
    let answer = [const { AtomicU32::new(0) }; ANSWER_WORDS];
    let address = words(answer.as_ptr().expose_provenance() as u64);
    send(
        device,
        command,
        answer_words,
        &[address.as_slice(), arguments].concat(),
    )?;
    Ok(answer.map(|word| word.load(Ordering::Acquire)))
}

/// Writes `struct ib_uverbs_cmd_hdr` and the words of a command.
fn send(mut device: &File, command: u32, answer_words: u16, arguments: &[u32]) -> Result<(), Errno> {
    let length = u16::try_from(2 + arguments.len()).map_err(|_| Errno::EINVAL)?;
    let mut message = Vec::new();
    message.extend(command.to_ne_bytes());
    message.extend(length.to_ne_bytes());
    message.extend(answer_words.to_ne_bytes());
    message.extend(arguments.iter().flat_map(|word| word.to_ne_bytes()));
    let written = device.write(&message);
    written
        .map(drop)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))
}

/// Returns a number as two words, the low word first, as x86 has them in memory.
fn words(number: u64) -> [u32; 2] {
    [number, number >> 32].map(|part| u32::try_from(part & u64::from(u32::MAX)).unwrap_or(0))
}
