//! One workload of the command line, checked for contradictions.

use crate::choice::{PinKind, RangeChange, ReleaseMethod};
use crate::cli::{CommonArgs, DirectArgs, PinloadCommand};
use crate::failure::{Failure, Result};
use crate::memory::{FirstTouch, MemorySpec, Sharing};

/// The options that differ between the kinds.
#[derive(Clone, Debug)]
pub(crate) enum PinMethod {
    /// io_uring with a number of registered buffers, which a child registers if `shared_ring`, and a slot of the
    /// thread's registered rings names the ring if `registered_ring`.
    IoUring {
        buffers: u64,
        shared_ring: bool,
        registered_ring: bool,
    },
    /// An AF_XDP umem.
    AfXdp,
    /// Number of process_vm_readv calls.
    ProcessVm { repeat: u64 },
    /// O_DIRECT reads from the file.
    DirectRead(DirectArgs),
    /// O_DIRECT writes to the file.
    DirectWrite(DirectArgs),
    /// A DMA buffer over a memfd.
    Udmabuf,
    /// A DMA mapping for a device.
    Vfio,
    /// A memory region of an RDMA device.
    Rdma,
    /// Pages referenced by pipes.
    Vmsplice,
    /// Pages referenced by sockets.
    Zerocopy,
}

/// The plan of one run.
#[derive(Clone, Debug)]
pub(crate) struct WorkloadPlan {
    /// The way of pinning.
    pub(crate) method: PinMethod,
    /// The options that all kinds share.
    pub(crate) common: CommonArgs,
}

impl WorkloadPlan {
    /// Returns the plan for a pinning subcommand; `None` for the combining subcommands.
    pub(crate) fn of(command: PinloadCommand) -> Result<Option<Self>> {
        let (method, common) = match command {
            PinloadCommand::IoUring {
                buffers,
                shared_ring,
                registered_ring,
                common,
            } => {
                let method = PinMethod::IoUring {
                    buffers,
                    shared_ring,
                    registered_ring,
                };
                (method, common)
            }
            PinloadCommand::AfXdp { common } => (PinMethod::AfXdp, common),
            PinloadCommand::ProcessVm { repeat, common } => (PinMethod::ProcessVm { repeat }, common),
            PinloadCommand::DirectRead { direct, common } => (PinMethod::DirectRead(direct), common),
            PinloadCommand::DirectWrite { direct, common } => (PinMethod::DirectWrite(direct), common),
            PinloadCommand::Udmabuf { common } => (PinMethod::Udmabuf, common),
            PinloadCommand::Vfio { common } => (PinMethod::Vfio, common),
            PinloadCommand::Rdma { common } => (PinMethod::Rdma, common),
            PinloadCommand::Vmsplice { common } => (PinMethod::Vmsplice, common),
            PinloadCommand::Zerocopy { common } => (PinMethod::Zerocopy, common),
            PinloadCommand::All(_)
            | PinloadCommand::Demo(_)
            | PinloadCommand::Holder { .. }
            | PinloadCommand::Scenario { .. }
            | PinloadCommand::DelayedReads(_)
            | PinloadCommand::SlowRegistration(_)
            | PinloadCommand::Refused(_)
            | PinloadCommand::Hostile(_)
            | PinloadCommand::Bench(_)
            | PinloadCommand::Busy(_)
            | PinloadCommand::WaitForParent => return Ok(None),
        };
        let plan = Self { method, common };
        plan.check()?;
        Ok(Some(plan))
    }

    /// Returns the kind.
    pub(crate) const fn kind(&self) -> PinKind {
        match self.method {
            PinMethod::IoUring { .. } => PinKind::IoUring,
            PinMethod::AfXdp => PinKind::AfXdp,
            PinMethod::ProcessVm { .. } => PinKind::ProcessVm,
            PinMethod::DirectRead(_) => PinKind::DirectRead,
            PinMethod::DirectWrite(_) => PinKind::DirectWrite,
            PinMethod::Udmabuf => PinKind::Udmabuf,
            PinMethod::Vfio => PinKind::Vfio,
            PinMethod::Rdma => PinKind::Rdma,
            PinMethod::Vmsplice => PinKind::Vmsplice,
            PinMethod::Zerocopy => PinKind::Zerocopy,
        }
    }

    /// Returns the description of the memory to pin.
    pub(crate) fn memory(&self) -> MemorySpec {
        let common = &self.common;
        MemorySpec {
            pages: common.pages,
            backing: common.backing,
            sharing: match self.method {
                PinMethod::Udmabuf => Sharing::Memfd,
                _ if common.shared_memory => Sharing::Shared,
                _ => Sharing::Private,
            },
            first_touch: match (common.untouched, common.zero_page) {
                (true, _) => FirstTouch::Nothing,
                (_, true) => FirstTouch::Read,
                _ => FirstTouch::Write,
            },
        }
    }

    /// Returns true if the exit of the process is to release the pins.
    pub(crate) const fn ends_process(&self) -> bool {
        matches!(self.common.release, ReleaseMethod::Exit | ReleaseMethod::Kill)
            && !matches!(
                self.method,
                PinMethod::IoUring {
                    shared_ring: true,
                    ..
                }
            )
    }

    fn check(&self) -> Result<()> {
        let common = &self.common;
        match &self.method {
            PinMethod::IoUring { buffers, .. } if !common.pages.is_multiple_of(*buffers) => {
                return Err(Failure::usage(
                    format!("{} pages do not divide into {buffers} buffers", common.pages),
                    "choose --pages as a multiple of --buffers",
                ));
            }
            PinMethod::DirectRead(direct) | PinMethod::DirectWrite(direct)
                if !direct.block.is_multiple_of(512) || !fills(direct.block, common.pages * 4096) =>
            {
                return Err(Failure::usage(
                    format!(
                        "blocks of {} bytes do not fill {} pages",
                        direct.block, common.pages
                    ),
                    "choose --block as a multiple of 512 that divides the pages' bytes",
                ));
            }
            PinMethod::ProcessVm { .. } if common.shared_memory => {
                return Err(Failure::usage(
                    "process-vm pins a child's own memory, which is not shared",
                    "drop --shared-memory",
                ));
            }
            _ => {}
        }
        if common.change.is_some() && !matches!(self.method, PinMethod::IoUring { .. } | PinMethod::AfXdp) {
            return Err(Failure::usage(
                "--change needs pins that last on memory of this process",
                "use --change with io-uring or af-xdp",
            ));
        }
        if common.change == Some(RangeChange::ForkWrite) && common.threads > 1 {
            return Err(Failure::usage(
                "--change fork-write forks, and a process with threads must not fork",
                "drop --threads",
            ));
        }
        Ok(())
    }
}

/// Returns true if calls of `block` bytes cover `bytes` without a remainder.
fn fills(block: u64, bytes: u64) -> bool {
    block >= bytes || bytes.is_multiple_of(block)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::PinloadCli;

    fn plan(words: &str) -> Result<Option<WorkloadPlan>> {
        let words = ["pinload"].into_iter().chain(words.split(' '));
        WorkloadPlan::of(PinloadCli::try_parse_from(words).unwrap().command)
    }

    #[test]
    fn contradictions_are_usage_errors() {
        for words in [
            "io-uring --pages 64 --buffers 3",
            "direct-read --block 1000",
            "direct-read --pages 3 --block 8192",
            "process-vm --shared-memory",
            "process-vm --change munmap",
            "io-uring --threads 2 --change fork-write",
        ] {
            assert_eq!(plan(words).unwrap_err().code, 2, "{words}");
        }
    }

    #[test]
    fn one_block_may_be_larger_than_the_memory() {
        assert!(plan("direct-read --pages 3 --block 65536").unwrap().is_some());
    }

    #[test]
    fn udmabuf_pins_a_memfd() {
        let plan = plan("udmabuf --backing hugetlb").unwrap().unwrap();
        assert_eq!(plan.memory().sharing, Sharing::Memfd);
    }
}
