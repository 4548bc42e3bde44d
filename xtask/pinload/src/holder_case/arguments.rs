//! The command line of `holder`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::duration;

/// The situations in which an open file holds pins, and how to hold them.
#[derive(Args, Clone, Debug)]
pub(crate) struct HolderArgs {
    /// The situation
    #[arg(value_enum)]
    pub(crate) case: HolderCase,
    /// Hold for this time (500ms, 5s, 2m) instead
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "hold_until_stdin")]
    pub(crate) hold: Option<Duration>,
    /// Hold until a line or end of file arrives on standard input: the default
    #[arg(long)]
    pub(crate) hold_until_stdin: bool,
    /// Compare with the pin counters of /proc/vmstat (root), and exit with 4 if they differ
    #[arg(long)]
    pub(crate) verify: bool,
    /// Name of the process, as ps shows it (15 bytes)
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Die with this process, which is the parent
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) die_with_parent: Option<i32>,
}

/// The situations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HolderCase {
    /// A ring with two buffers, of which the second is unmapped
    HalfUnmapped,
    /// A ring that only a mapping of the ring keeps; beside it, processes with descriptors that hold no pins
    RingKeptByMapping,
    /// A ring that only a thread's registration of the ring keeps (kernel 5.18)
    RegisteredRing,
    /// Two AF_XDP sockets with one umem; beside them, a udmabuf without its memfd
    SharedUmem,
    /// Memory of parent and child, which the child registers
    SharedMemory,
    /// A process whose first thread has ended
    ZombieLeader,
    /// A buffer table of 1024 slots, of which an ended child has filled one (kernel 5.13)
    SparseTable,
    /// A ring in user memory whose creator has ended (kernel 6.5)
    NoMmapRing,
    /// A ring of provided buffers in user memory (kernel 5.19)
    BufferRing,
    /// A ring that another process than the owner of its buffer has open
    PassedRing,
    /// A ring in a message that nobody has received; newer kernels refuse to send a ring
    InFlightRing,
    /// An AF_XDP socket in a message that nobody has received
    InFlightSocket,
    /// A ring with two descriptors, which a child without the buffer inherits
    Duplicated,
    /// A process that has executed another program since it registered its memory
    Execed,
    /// A umem and a udmabuf that nobody maps, beside processes with every kind of idle descriptor
    IdleDescriptors,
    /// 48 buffers of two rings on one huge page
    ManyOwners,
}

impl HolderCase {
    /// Returns the name on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}
