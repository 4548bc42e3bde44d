//! Rings that lie in user memory, whose pages the kernel pins.

use std::process;

use nix::sys::prctl::set_child_subreaper;
use nix::unistd::{ForkResult, Pid, fork};

use super::memory::small;
use super::ring::Ring;
use super::situation::Situation;
use crate::child::{ForkedChild, ParentLink};
use crate::failure::{Explain, Result};
use crate::memory::Sharing;

/// Pages of a ring's queues, and of its entries: more than any ring here needs.
const RING_PAGES: u64 = 16;
/// Pages of the ring of provided buffers.
const BUFFER_RING_PAGES: u64 = 4;

/// A child creates a ring in its own memory and ends. A grandchild that has inherited the ring keeps the ring.
pub(super) fn no_mmap_ring() -> Result<Situation> {
    set_child_subreaper(true).failing("cannot adopt grandchildren", "use kernel 3.4 or later")?;
    let mut child = ForkedChild::fork(create_and_leave)?;
    let Some([heir, pages]) = child.receive_numbers() else {
        return Err(child.ended_early()?);
    };
    let heir = i32::try_from(heir).failing("a pid is too large", "report this as a bug")?;
    let heir = child.succeeded_by(Pid::from_raw(heir))?;
    let mut situation = Situation::default();
    situation.is_held_by(heir.pid(), pages, "io_uring");
    situation.keep_child(heir);
    Ok(situation)
}

/// Creates the ring, and forks the grandchild, which sends its pid and the pages of the ring, and waits.
fn create_and_leave(parent: &ParentLink) -> Result<()> {
    let queues = small(RING_PAGES, Sharing::Private)?;
    let entries = small(RING_PAGES, Sharing::Private)?;
    let (_ring, pages) = Ring::in_user_memory(&queues, &entries)?;
    // SAFETY: the process has one thread, so the child may call any function.
    match unsafe { fork() }.failing("cannot fork", "raise ulimit -u")? {
        ForkResult::Parent { .. } => Ok(()),
        ForkResult::Child => {
            parent.send_numbers([u64::from(process::id()), pages])?;
            parent.wait()
        }
    }
}

/// The kernel pins the memory of a ring of provided buffers, and no buffer.
pub(super) fn buffer_ring() -> Result<Situation> {
    let ring = Ring::new()?;
    let buffer = small(BUFFER_RING_PAGES, Sharing::Private)?;
    ring.register_buffer_ring(&buffer)?;
    let mut situation = Situation::default();
    situation.holds(BUFFER_RING_PAGES);
    situation.keep((ring, buffer));
    Ok(situation)
}
