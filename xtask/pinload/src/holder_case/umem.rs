//! AF_XDP sockets that share a umem.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_int, socklen_t};
use nix::net::if_::if_nametoindex;
use nix::unistd::getpid;

use super::memory::{PAGES, small};
use super::situation::Situation;
use crate::child::ForkedChild;
use crate::failure::{Explain, Failure, Result};
use crate::kernel::KernelRelease;
use crate::memory::{Buffer, Sharing};
use crate::wait::wait_for;
use crate::workload::{Udmabuf, Umem, Workload, open_xdp_socket};

/// Entries of each ring of a socket.
const ENTRIES: c_int = 64;
/// Time limit for the device to become free.
const LIMIT: Duration = Duration::from_secs(5);
const NO_BIND: &str = "run as root on a kernel with CONFIG_XDP_SOCKETS";

/// Two sockets of this process share one umem. A child holds a udmabuf, whose memfd is closed and which nobody maps.
pub(super) fn shared() -> Result<Situation> {
    let mut situation = Situation::default();
    // The child starts before the sockets exist, and so does not inherit the sockets.
    add_udmabuf(&mut situation)?;
    let (first, buffer) = registered()?;
    let second = open_xdp_socket()?;
    for ring in [
        libc::XDP_UMEM_FILL_RING,
        libc::XDP_UMEM_COMPLETION_RING,
        libc::XDP_RX_RING,
    ] {
        make_ring(&first, ring)?;
    }
    make_ring(&second, libc::XDP_RX_RING)?;
    bind(&first, libc::XDP_COPY, None)?;
    bind(&second, libc::XDP_SHARED_UMEM, Some(&first))?;
    situation.is_held_by(getpid(), PAGES, "af_xdp");
    situation.keep((first, second, buffer));
    Ok(situation)
}

/// Returns a socket with a umem, and the memory of the umem.
pub(super) fn registered() -> Result<(OwnedFd, Buffer)> {
    let mut umem = Umem::new(small(PAGES, Sharing::Private)?)?;
    umem.pin()?;
    umem.into_parts()
}

fn add_udmabuf(situation: &mut Situation) -> Result<()> {
    let pins = KernelRelease::running()?.udmabuf_pins();
    let (Some(pins), true) = (pins, Path::new("/dev/udmabuf").exists()) else {
        return Ok(());
    };
    let child = ForkedChild::holding(|| {
        let mut udmabuf = Udmabuf::new(small(PAGES, Sharing::Memfd)?)?;
        udmabuf.pin()?;
        Ok(udmabuf.into_dma_buffer())
    })?;
    if pins {
        situation.is_held_by(child.pid(), PAGES, "udmabuf");
    } else {
        situation.is_innocent(child.pid());
    }
    situation.keep_child(child);
    Ok(())
}

/// Creates a ring of a socket, which a socket needs before it is bound.
fn make_ring(socket: &OwnedFd, ring: c_int) -> Result<()> {
    let (entries, length) = (ENTRIES, length_of::<c_int>());
    // SAFETY: the pointer and the length describe `entries`, which the kernel only reads.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_XDP,
            ring,
            (&raw const entries).cast(),
            length,
        )
    };
    Errno::result(result)
        .map(drop)
        .failing("cannot create a ring of the socket", "report this as a bug")
}

/// Binds a socket to the loopback device, with its own umem or with the umem of another socket.
fn bind(socket: &OwnedFd, flags: u16, with: Option<&OwnedFd>) -> Result<()> {
    let device = if_nametoindex("lo").unavailable("cannot find the device lo", NO_BIND)?;
    let with = with.map_or(Ok(0), |other| u32::try_from(other.as_raw_fd()));
    let address = libc::sockaddr_xdp {
        sxdp_family: u16::try_from(libc::AF_XDP).unwrap_or(0),
        sxdp_flags: flags,
        sxdp_ifindex: device,
        sxdp_queue_id: 0,
        sxdp_shared_umem_fd: with.map_err(|_| Failure::failed("a descriptor is negative", "report this"))?,
    };
    let length = length_of::<libc::sockaddr_xdp>();
    let mut bound = Ok(0);
    // The kernel releases the device some time after another socket is closed.
    wait_for(LIMIT, Duration::from_millis(10), || {
        // SAFETY: the pointer and the length describe `address`, which the kernel only reads.
        let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
        bound = Errno::result(result);
        Ok(bound != Err(Errno::EBUSY))
    })?;
    bound
        .map(drop)
        .unavailable("cannot bind an AF_XDP socket to lo", NO_BIND)
}

fn length_of<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}
