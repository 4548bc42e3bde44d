//! The software RDMA device: made by a request to the kernel's RDMA netlink, as `rdma link add` makes it. The device stays.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use super::uverbs::RdmaContext;
use crate::failure::{Explain, Failure, Result};

/// Name of the device.
const DEVICE: &str = "pinload_rxe";
const DRIVER: &str = "rxe";
const INTERFACE: &str = "lo";
const CLASS: &str = "/sys/class/infiniband_verbs";
const NO_RXE: &str = "run as root with the modules ib_uverbs and rdma_rxe (Debian: the full flavour)";
/// The kernel's worker creates the device node within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Values of linux/netlink.h.
mod netlink {
    pub(super) const HEADER_BYTES: u32 = 16;
    pub(super) const ERROR: u16 = 2;
    /// `NLM_F_REQUEST` and `NLM_F_ACK`.
    pub(super) const REQUEST_WITH_ANSWER: u16 = 5;
}

/// Values of rdma/rdma_netlink.h.
mod rdma {
    /// `RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_NEWLINK)`.
    pub(super) const NEW_LINK: u16 = (5 << 10) + 3;
    pub(super) const DEVICE_NAME: u16 = 2;
    pub(super) const INTERFACE_NAME: u16 = 51;
    pub(super) const LINK_TYPE: u16 = 65;
}

/// Makes the device if there is none.
pub(crate) fn make_device() -> Result<()> {
    if node().is_some() {
        return Ok(());
    }
    if !Path::new(CLASS).exists() {
        return Err(Failure::unavailable(
            "this kernel has no RDMA devices for user space",
            NO_RXE,
        ));
    }
    let protocol = SockProtocol::NetlinkRDMA;
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    )
    .unavailable("this kernel has no RDMA", NO_RXE)?;
    send(socket.as_raw_fd(), &request(), MsgFlags::empty())
        .unavailable("cannot ask the kernel for an RDMA device", NO_RXE)?;
    let mut answer = [0; 1024];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())
        .unavailable("the kernel does not answer about the RDMA device", NO_RXE)?;
    match error_of(answer.get(..length).unwrap_or_default()) {
        // Another process has made the device.
        Some(0) => {}
        Some(error) if error == Errno::EEXIST as i32 => {}
        Some(error) => {
            let what = format!("cannot make an RDMA device: {}", Errno::from_raw(error));
            return Err(Failure::unavailable(what, NO_RXE));
        }
        None => {
            return Err(Failure::failed(
                "the kernel's answer about the RDMA device is no answer",
                "report this as a bug of pinload",
            ));
        }
    }
    let start = Instant::now();
    while node().is_none() {
        if start.elapsed() > PATIENCE {
            return Err(Failure::unavailable(
                "the RDMA device has no node in /dev",
                NO_RXE,
            ));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Opens a context of the device.
pub(crate) fn open_context() -> Result<RdmaContext> {
    let node = node().ok_or_else(|| Failure::unavailable("there is no RDMA device", NO_RXE))?;
    RdmaContext::open(&node).unavailable(&format!("cannot open {}", node.display()), NO_RXE)
}

/// Returns the node of the device.
fn node() -> Option<PathBuf> {
    let devices = fs::read_dir(CLASS).ok()?.flatten();
    let mut nodes = devices
        .filter(|entry| {
            fs::read_to_string(entry.path().join("ibdev")).is_ok_and(|name| name.trim() == DEVICE)
        })
        .map(|entry| PathBuf::from("/dev/infiniband").join(entry.file_name()));
    nodes.find(|node| node.exists())
}

/// Returns the message that asks for the device.
fn request() -> Vec<u8> {
    let mut attributes = Vec::new();
    for (kind, text) in [
        (rdma::DEVICE_NAME, DEVICE),
        (rdma::LINK_TYPE, DRIVER),
        (rdma::INTERFACE_NAME, INTERFACE),
    ] {
        // A text of this module with its NUL fits.
        let length = u16::try_from(4 + text.len() + 1).unwrap_or(u16::MAX);
        attributes.extend(length.to_ne_bytes());
        attributes.extend(kind.to_ne_bytes());
        attributes.extend(text.as_bytes());
        attributes.push(0);
        attributes.resize(attributes.len().next_multiple_of(4), 0);
    }
    let length = netlink::HEADER_BYTES + u32::try_from(attributes.len()).unwrap_or(0);
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(rdma::NEW_LINK.to_ne_bytes());
    message.extend(netlink::REQUEST_WITH_ANSWER.to_ne_bytes());
    // Sequence number and port, which the kernel returns.
    message.extend([0; 8]);
    message.extend(attributes);
    message
}

/// Returns the error number of an answer; 0 for success. `None` if the message is no answer.
fn error_of(answer: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let error = i32::from_ne_bytes(answer.get(16..20)?.try_into().ok()?);
    (kind == netlink::ERROR).then_some(error.checked_neg()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_aligned_attributes_that_end_with_nul() {
        let request = request();
        assert_eq!(
            u32::from_ne_bytes(request[..4].try_into().unwrap()) as usize,
            request.len()
        );
        assert_eq!(request.len() % 4, 0);
        // The first attribute is the device's name.
        assert_eq!(request[20..32], *b"pinload_rxe\0");
    }

    #[test]
    fn only_an_answer_has_an_error() {
        let mut answer = vec![0; 36];
        answer[4] = 2;
        assert_eq!(error_of(&answer), Some(0));
        answer[16..20].copy_from_slice(&(-17i32).to_ne_bytes());
        assert_eq!(error_of(&answer), Some(17));
        answer[4] = 3;
        assert_eq!(error_of(&answer), None);
        assert_eq!(error_of(&answer[..18]), None);
    }
}
