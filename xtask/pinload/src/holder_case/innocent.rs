//! Children that have a descriptor open through which a process could hold pins, and that hold none.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;

use super::ring::Ring;
use super::situation::Situation;
use crate::child::ForkedChild;
use crate::failure::Result;
use crate::workload;

/// Devices that a process opens before it pins. Each machine has some of them.
const DEVICES: [&str; 3] = ["/dev/udmabuf", "/dev/vfio/vfio", "/dev/vhost-net"];

/// Forks one child for each kind of descriptor that this machine offers. The process must have only one thread.
pub(super) fn add_children(situation: &mut Situation) -> Result<()> {
    let device = |path| OpenOptions::new().read(true).write(true).open(path).ok();
    for path in DEVICES {
        add(situation, device(path).map(OwnedFd::from))?;
    }
    add(situation, Some(Ring::new()?.into()))?;
    add(situation, workload::open_xdp_socket().ok())
}

fn add(situation: &mut Situation, descriptor: Option<OwnedFd>) -> Result<()> {
    if let Some(descriptor) = descriptor {
        let child = ForkedChild::holding(|| Ok(&descriptor))?;
        situation.is_innocent(child.pid());
        situation.keep_child(child);
    }
    Ok(())
}
