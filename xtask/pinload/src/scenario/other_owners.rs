//! Children that hold pins on the pages of a file which their parent maps privately.

use crate::child::{self, ForkedChild};
use crate::failure::Result;
use crate::memory::Buffer;
use crate::workload::{IoUringBuffers, Workload};

/// Children with pins, each on all pages of the file.
pub(super) struct OtherOwners(Vec<ForkedChild>);

impl OtherOwners {
    /// Forks `count` children. Each maps the file of the buffer as shared memory and registers all pages. The process must
    /// have only one thread.
    pub(super) fn fork(buffer: &Buffer, count: u64) -> Result<Self> {
        let fork = |_| {
            let child = ForkedChild::fork(|parent| {
                let mut shared = buffer.alias()?;
                shared.map_file_over(0, buffer.bytes(), 0)?;
                let mut registered = IoUringBuffers::new(shared, 1)?;
                registered.pin()?;
                parent.ready()?;
                parent.wait()
            })?;
            child.when_ready()
        };
        (0..count).map(fork).collect::<Result<_>>().map(Self)
    }

    /// Ends the children.
    pub(super) fn end(self) -> Result<()> {
        self.0
            .into_iter()
            .try_for_each(|child| child.finish().and_then(child::check))
    }
}
