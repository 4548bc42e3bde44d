//! Pins whose memory nobody maps, beside processes with every kind of idle descriptor.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::unistd::getpid;

use super::innocent;
use super::memory::{PAGES, small};
use super::passing::{pair, receive, send};
use super::situation::Situation;
use super::umem;
use crate::child::{ForkedChild, ParentLink};
use crate::failure::{Explain, Result};
use crate::kernel::KernelRelease;
use crate::memory::Sharing;
use crate::workload::{Udmabuf, Workload};

const BUG: &str = "report this as a bug";

/// This process holds a umem and, if the kernel pins its pages, a child holds a udmabuf. Nobody maps the memory of either.
/// Another child receives the udmabuf, or else the socket, in a message and closes it.
pub(super) fn idle_descriptors() -> Result<Situation> {
    let mut situation = Situation::default();
    let (own, other) = pair()?;
    // All children start before the holding files exist, and so do not inherit them.
    let receiver = ForkedChild::fork(|parent| receive_and_close(parent, &other))?;
    innocent::add_children(&mut situation)?;
    let pass =
        |file: &OwnedFd| send(&own, file.as_fd(), true).failing("cannot send a message to a child", BUG);
    let pins = KernelRelease::running()?.udmabuf_pins() == Some(true);
    let has_udmabuf = pins && Path::new("/dev/udmabuf").exists();
    if has_udmabuf {
        let child = ForkedChild::holding(|| {
            let mut udmabuf = Udmabuf::new(small(PAGES, Sharing::Memfd)?)?;
            udmabuf.pin()?;
            let file = udmabuf.into_dma_buffer();
            file.iter().try_for_each(pass)?;
            Ok(file)
        })?;
        situation.is_held_by(child.pid(), PAGES, "udmabuf");
        situation.keep_child(child);
    }
    let (socket, mut buffer) = umem::registered()?;
    buffer.unmap()?;
    situation.is_held_by(getpid(), PAGES, "af_xdp");
    if !has_udmabuf {
        pass(&socket)?;
    }
    let receiver = receiver.when_ready()?;
    situation.is_innocent(receiver.pid());
    situation.keep_child(receiver);
    situation.keep((own, other, socket));
    Ok(situation)
}

fn receive_and_close(parent: &ParentLink, socket: &UnixStream) -> Result<()> {
    let (_, carried) = receive(socket).failing("cannot receive a message", BUG)?;
    drop(carried);
    parent.ready()?;
    parent.wait()
}
