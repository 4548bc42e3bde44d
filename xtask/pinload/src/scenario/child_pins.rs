//! Pins that a child takes through an io_uring, and that its parent reports.

use std::io::{BufRead, BufReader};

use serde::{Deserialize, Serialize};

use super::scenario_run::PinnedRange;
use crate::child::{ForkedChild, ParentLink};
use crate::choice::PinKind;
use crate::failure::{Explain, Result};
use crate::pins::PinCounts;
use crate::vmstat::PinCounters;

/// The child's message: the address and the pins.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct ChildPins {
    pub(super) address: usize,
    pins: PinCounts,
}

impl ChildPins {
    /// Sends the message to the parent.
    pub(super) fn send(held: PinnedRange, parent: &ParentLink) -> Result<()> {
        let message = Self {
            address: held.address,
            pins: held.pins,
        };
        let mut line = serde_json::to_vec(&message).failing("cannot write JSON", "report this as a bug")?;
        line.push(b'\n');
        parent.send(&line)
    }

    /// Receives the message; `None` if the child ended without one.
    pub(super) fn receive(child: &mut ForkedChild) -> Option<Self> {
        let mut line = String::new();
        BufReader::new(child.messages()).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    /// Waits until a work queue of the kernel has released the pins. Returns false if the counters of /proc/vmstat,
    /// from `vmstat` on, never showed exactly this release.
    pub(super) fn await_release(self, vmstat: PinCounters) -> Result<bool> {
        let released = PinCounts {
            released: self.pins.held,
            ..PinCounts::default()
        };
        Ok(released.agrees_with(vmstat.settle(released)?))
    }

    /// Returns the range for the printed lines.
    pub(super) const fn range(self, pid: i32, began_ns: u64) -> PinnedRange {
        PinnedRange {
            kind: Some(PinKind::IoUring),
            tid: pid,
            address: self.address,
            pins: self.pins,
            began_ns,
        }
    }
}
