//! A worker: opens, passes and closes rings as the controller requests.

use std::collections::BTreeMap;
use std::env;
use std::io::BufReader;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd::Pid;

use super::request::{self, Request};
use super::truth::RingId;
use crate::child::{self, ForkedChild, ParentLink};
use crate::failure::{Explain, Failure, Result};
use crate::holder_case::memory::small;
use crate::holder_case::passing::{receive, send, take_from};
use crate::holder_case::ring::Ring;
use crate::memory::{Buffer, Sharing};

const BUG: &str = "report this as a bug";

/// The descriptors of a ring, and the memory that this worker has registered with the ring.
#[derive(Default)]
struct OpenRing {
    descriptors: Vec<Ring>,
    buffer: Option<Buffer>,
}

/// The state of a worker.
pub(super) struct Worker<'a> {
    parent: &'a ParentLink,
    /// Where this worker receives rings.
    inbox: &'a UnixStream,
    /// Where this worker passes rings to each of the workers.
    outboxes: &'a [UnixStream],
    rings: BTreeMap<RingId, OpenRing>,
    child: Option<ForkedChild>,
}

impl<'a> Worker<'a> {
    /// Returns a worker without rings.
    pub(super) const fn new(
        parent: &'a ParentLink,
        inbox: &'a UnixStream,
        outboxes: &'a [UnixStream],
    ) -> Self {
        Self {
            parent,
            inbox,
            outboxes,
            rings: BTreeMap::new(),
            child: None,
        }
    }

    /// Serves until the controller requests the end.
    pub(super) fn serve(mut self, requests: UnixStream) -> Result<()> {
        let mut requests = BufReader::new(requests);
        loop {
            let request = request::receive(&mut requests)?;
            if request == Request::End {
                return self.end_child();
            }
            let answer = self.carry_out(request)?;
            self.parent.send_numbers([answer])?;
        }
    }

    fn carry_out(&mut self, request: Request) -> Result<u64> {
        match request {
            Request::Open { ring } => self.add(ring, Ring::new()?),
            Request::Register { ring, pages } => {
                let buffer = small(pages, Sharing::Private)?;
                self.first(ring)?.register(&buffer)?;
                self.rings.entry(ring).or_default().buffer = Some(buffer);
            }
            Request::Unregister { ring } => self.first(ring)?.unregister()?,
            Request::Duplicate { ring } => self.add(ring, self.first(ring)?.duplicate()?),
            Request::Pass { ring, to } => self.pass(self.first(ring)?, to)?,
            Request::Receive { ring, from } => self.add(ring, self.take(Pid::from_raw(from))?),
            Request::Close { ring } => self.close(ring),
            Request::Fork { program } => return self.fork(program),
            Request::EndChild => self.end_child()?,
            Request::End => {}
        }
        Ok(0)
    }

    fn add(&mut self, ring: RingId, descriptor: Ring) {
        self.rings.entry(ring).or_default().descriptors.push(descriptor);
    }

    fn first(&self, ring: RingId) -> Result<&Ring> {
        let open = self.rings.get(&ring).and_then(|open| open.descriptors.first());
        open.ok_or_else(|| Failure::failed(format!("a worker does not have ring {ring} open"), BUG))
    }

    /// Closes the oldest descriptor of a ring. After the last, the memory is unmapped too.
    fn close(&mut self, ring: RingId) {
        if let Some(open) = self.rings.get_mut(&ring) {
            open.descriptors.drain(..1);
            if open.descriptors.is_empty() {
                self.rings.remove(&ring);
            }
        }
    }

    /// Sends the ring, or only its number if the kernel refuses to carry a ring.
    fn pass(&self, ring: &Ring, to: usize) -> Result<()> {
        let outbox = &self.outboxes[to];
        send(outbox, ring, true)
            .or_else(|_| send(outbox, ring, false))
            .failing("cannot send a message to a worker", BUG)
    }

    fn take(&self, from: Pid) -> Result<Ring> {
        let (number, carried) = receive(self.inbox).failing("cannot receive a message", BUG)?;
        let taken = carried.map_or_else(|| take_from(from, number), Ok::<OwnedFd, _>);
        taken.map(Ring::from).unavailable(
            "cannot take the ring from another worker",
            "run as root on kernel 5.6 or later (pidfd_getfd)",
        )
    }

    fn fork(&mut self, program: bool) -> Result<u64> {
        let child = ForkedChild::fork(|parent| {
            if program {
                self.exec(parent)?;
            }
            parent.ready()?;
            parent.wait()
        })?;
        let child = self.child.insert(child.when_ready()?);
        u64::try_from(child.pid().as_raw()).failing("a pid is negative", BUG)
    }

    /// Executes pinload again, which keeps all rings and waits.
    fn exec(&self, parent: &ParentLink) -> Result<()> {
        let program = env::current_exe().failing("cannot find pinload's own file", "mount /proc")?;
        for ring in self.rings.values().flat_map(|open| &open.descriptors) {
            fcntl(ring, FcntlArg::F_SETFD(FdFlag::empty())).failing("cannot keep the ring open", BUG)?;
        }
        parent.exec(Command::new(program).arg("wait-for-parent"))
    }

    fn end_child(&mut self) -> Result<()> {
        let Some(child) = self.child.take() else {
            return Ok(());
        };
        child.finish().and_then(child::check)
    }
}
