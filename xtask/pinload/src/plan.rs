//! One workload as the command line asks for it, checked for contradictions.

use crate::choice::{Kind, Release, Touch};
use crate::cli::{Command, Common, DirectArgs};
use crate::failure::{Failure, Result};
use crate::memory::{FirstTouch, Sharing, Wanted};

/// What differs between the kinds.
#[derive(Clone, Debug)]
pub(crate) enum Method {
    /// Registered buffers, and whether a child registers them.
    IoUring { buffers: u64, shared_ring: bool },
    /// An AF_XDP umem.
    AfXdp,
    /// process_vm_readv, this many times.
    ProcessVm { repeat: u64 },
    /// O_DIRECT, reading from the file.
    DirectRead(DirectArgs),
    /// O_DIRECT, writing to the file.
    DirectWrite(DirectArgs),
    /// A DMA buffer over a memfd.
    Udmabuf,
    /// A DMA mapping for a device.
    Vfio,
    /// Pages in pipes.
    Vmsplice,
    /// Pages in sockets.
    Zerocopy,
}

/// What one run does.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How it pins.
    pub(crate) method: Method,
    /// Everything else.
    pub(crate) common: Common,
}

impl Plan {
    /// The plan for a pinning subcommand; `None` for the combining ones.
    pub(crate) fn of(command: Command) -> Result<Option<Self>> {
        let (method, common) = match command {
            Command::IoUring {
                buffers,
                shared_ring,
                common,
            } => (Method::IoUring { buffers, shared_ring }, common),
            Command::AfXdp { common } => (Method::AfXdp, common),
            Command::ProcessVm { repeat, common } => (Method::ProcessVm { repeat }, common),
            Command::DirectRead { direct, common } => (Method::DirectRead(direct), common),
            Command::DirectWrite { direct, common } => (Method::DirectWrite(direct), common),
            Command::Udmabuf { common } => (Method::Udmabuf, common),
            Command::Vfio { common } => (Method::Vfio, common),
            Command::Vmsplice { common } => (Method::Vmsplice, common),
            Command::Zerocopy { common } => (Method::Zerocopy, common),
            Command::All(_) | Command::Demo(_) | Command::Scenario { .. } => return Ok(None),
        };
        let plan = Self { method, common };
        plan.check()?;
        Ok(Some(plan))
    }

    /// The kind's name.
    pub(crate) const fn kind(&self) -> Kind {
        match self.method {
            Method::IoUring { .. } => Kind::IoUring,
            Method::AfXdp => Kind::AfXdp,
            Method::ProcessVm { .. } => Kind::ProcessVm,
            Method::DirectRead(_) => Kind::DirectRead,
            Method::DirectWrite(_) => Kind::DirectWrite,
            Method::Udmabuf => Kind::Udmabuf,
            Method::Vfio => Kind::Vfio,
            Method::Vmsplice => Kind::Vmsplice,
            Method::Zerocopy => Kind::Zerocopy,
        }
    }

    /// The memory it pins.
    pub(crate) fn memory(&self) -> Wanted {
        let common = &self.common;
        Wanted {
            pages: common.pages,
            backing: common.backing,
            sharing: match self.method {
                Method::Udmabuf => Sharing::Memfd,
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

    /// Whether the process's own end releases its pins.
    pub(crate) const fn ends_process(&self) -> bool {
        matches!(self.common.release, Release::Exit | Release::Kill)
            && !matches!(
                self.method,
                Method::IoUring {
                    shared_ring: true,
                    ..
                }
            )
    }

    fn check(&self) -> Result<()> {
        let common = &self.common;
        match &self.method {
            Method::IoUring { buffers, .. } if !common.pages.is_multiple_of(*buffers) => {
                return Err(Failure::usage(
                    format!("{} pages do not divide into {buffers} buffers", common.pages),
                    "choose --pages as a multiple of --buffers",
                ));
            }
            Method::DirectRead(direct) | Method::DirectWrite(direct)
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
            Method::ProcessVm { .. } if common.shared_memory => {
                return Err(Failure::usage(
                    "process-vm pins a child's own memory, which is not shared",
                    "drop --shared-memory",
                ));
            }
            _ => {}
        }
        if common.touch.is_some() && !matches!(self.method, Method::IoUring { .. } | Method::AfXdp) {
            return Err(Failure::usage(
                "--touch needs pins that last on memory of this process",
                "use it with io-uring or af-xdp",
            ));
        }
        if common.touch == Some(Touch::ForkWrite) && common.threads > 1 {
            return Err(Failure::usage(
                "--touch fork-write forks, which threads must not",
                "drop --threads",
            ));
        }
        Ok(())
    }
}

/// Whether calls of `block` bytes fill `bytes` without a rest.
fn fills(block: u64, bytes: u64) -> bool {
    block >= bytes || bytes.is_multiple_of(block)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn plan(words: &str) -> Result<Option<Plan>> {
        let words = ["pinload"].into_iter().chain(words.split(' '));
        Plan::of(Cli::try_parse_from(words).unwrap().command)
    }

    #[test]
    fn contradictions_are_usage_errors() {
        for words in [
            "io-uring --pages 64 --buffers 3",
            "direct-read --block 1000",
            "direct-read --pages 3 --block 8192",
            "process-vm --shared-memory",
            "process-vm --touch munmap",
            "io-uring --threads 2 --touch fork-write",
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
