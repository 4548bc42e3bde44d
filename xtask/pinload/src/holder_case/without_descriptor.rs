//! Rings that no descriptor, or more than one descriptor, leads to.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::innocent;
use super::memory::{PAGES, small};
use super::ring::Ring;
use super::situation::Situation;
use crate::child::ForkedChild;
use crate::failure::{Failure, Result};
use crate::memory::Sharing;

/// The descriptor of the ring is closed, and the mapping of the ring's queues keeps the ring. The mapping of the buffer
/// is gone.
pub(super) fn ring_kept_by_mapping() -> Result<Situation> {
    let mut situation = Situation::default();
    // The children start before the ring exists, and so do not inherit the ring.
    innocent::add_children(&mut situation)?;
    let ring = Ring::new()?;
    let mut buffer = small(PAGES, Sharing::Private)?;
    ring.register(&buffer)?;
    situation.keep(ring.map_queues()?);
    drop(ring);
    buffer.unmap()?;
    situation.holds(PAGES);
    Ok(situation)
}

/// A thread registers the ring and closes the descriptor. The kernel's record of the thread keeps the ring.
pub(super) fn registered_ring() -> Result<Situation> {
    let ring = Ring::new()?;
    let buffer = small(PAGES, Sharing::Private)?;
    ring.register(&buffer)?;
    let mut situation = Situation::default();
    situation.keep(RegisteringThread::start(ring)?);
    situation.keep(buffer);
    situation.holds(PAGES);
    Ok(situation)
}

/// A thread that lasts until this object is dropped.
struct RegisteringThread {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RegisteringThread {
    fn start(ring: Ring) -> Result<Self> {
        let (end, wait): (_, Receiver<()>) = mpsc::channel();
        let (registered, result) = mpsc::channel();
        let thread = thread::spawn(move || {
            let outcome = ring.register_with_thread();
            drop(ring);
            // An error means that this process ends.
            let _ = registered.send(outcome);
            let _ = wait.recv();
        });
        let started = Self {
            end: Some(end),
            thread: Some(thread),
        };
        let ended = |_| Err(Failure::failed("a thread ended", "report this as a bug"));
        result.recv().unwrap_or_else(ended).map(|()| started)
    }
}

impl Drop for RegisteringThread {
    fn drop(&mut self) {
        drop(self.end.take());
        // A panic has printed its message.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The ring has two descriptors in this process and two in a child, which does not map the buffer.
pub(super) fn duplicated() -> Result<Situation> {
    let ring = Ring::new()?;
    let second = ring.duplicate()?;
    let buffer = small(PAGES, Sharing::Private)?;
    ring.register(&buffer)?;
    buffer.hide_from_children()?;
    let child = ForkedChild::holding(|| Ok(()))?;
    let mut situation = Situation::default();
    situation.holds(PAGES);
    situation.is_innocent(child.pid());
    situation.keep_child(child);
    situation.keep((ring, second, buffer));
    Ok(situation)
}
