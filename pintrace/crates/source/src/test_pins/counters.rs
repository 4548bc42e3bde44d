//! The map in which the hooks count test pins.

use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::maps::{Array, MapData};
use pintrace_common::test_pins::{WORDS, word};

use super::Figures;
use crate::ledger::{LedgerError, take};

/// Most time to wait for a release: io_uring may release buffers in a worker.
const MOST_WAIT: Duration = Duration::from_millis(50);
/// Time between two readings.
const STEP: Duration = Duration::from_micros(200);

/// The map, typed.
pub(super) struct Counters(Array<MapData, u64>);

impl Counters {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LedgerError> {
        Ok(Self(take(ebpf, "TEST_PINS")?.try_into()?))
    }

    /// Clears the counts. The hooks then count the pins of one thread, tgid << 32 | tid.
    pub(super) fn begin(&mut self, pid_tgid: u64) -> Result<(), LedgerError> {
        for index in 0..WORDS {
            self.0.set(index, 0, 0)?;
        }
        Ok(self.0.set(word::THREAD, pid_tgid, 0)?)
    }

    /// Waits until the hooks have seen all releases, for at most [`MOST_WAIT`]. Returns the pages that the hooks saw.
    pub(super) fn wait(&self, expected: u64) -> Result<Figures, LedgerError> {
        let until = Instant::now() + MOST_WAIT;
        loop {
            let figures = Figures {
                expected,
                released: self.0.get(&word::RELEASED, 0)?,
                acquired: self.0.get(&word::ACQUIRED, 0)?,
            };
            if figures.released >= figures.acquired || Instant::now() >= until {
                return Ok(figures);
            }
            std::thread::sleep(STEP);
        }
    }

    /// Ends the count.
    pub(super) fn end(&mut self) -> Result<(), LedgerError> {
        self.begin(0)
    }
}
