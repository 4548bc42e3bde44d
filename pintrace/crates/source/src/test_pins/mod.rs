//! Test pins: before the gate opens, pintrace pins and releases a few of its own pages on each path, and reads whether
//! the hooks saw both. On a kernel whose compiler inlined an unpin function into a caller, the hook is attached and never
//! runs for that caller.
//!
//! The hooks count test pins apart from the ledger (`test_pins.rs` of the eBPF crate), so no figure contains these pins.

mod counters;
mod io_uring;
mod outcome;
mod own_pages;
mod path;
mod worker;

use std::time::{Duration, Instant};

use aya::Ebpf;

use pintrace_kernel::vmstat::VmstatReader;

use super::ledger::LedgerError;
use counters::Counters;
pub use outcome::{Figures, Outcome};
pub use path::Path;
use worker::Worker;

/// The test of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPins {
    /// The path.
    pub path: Path,
    /// The pages that the hooks saw; those of the last attempt.
    pub figures: Figures,
    /// The result.
    pub outcome: Outcome,
    /// Duration of all attempts.
    pub took: Duration,
}

/// Attempts on a path that is not seen: the kernel may have skipped a program once.
const ATTEMPTS: usize = 2;

/// Takes and releases test pins on each path. The gate is closed, and the hooks are attached.
pub(super) fn run(ebpf: &mut Ebpf, vmstat: &VmstatReader) -> Result<Vec<TestPins>, LedgerError> {
    let mut test = Test {
        counters: Counters::take(ebpf)?,
        worker: Worker::start(),
        vmstat,
    };
    let done = Path::ALL.iter().map(|&path| test.of(path)).collect();
    test.counters.end()?;
    Ok(done)
}

struct Test<'a> {
    counters: Counters,
    worker: Result<Worker, String>,
    vmstat: &'a VmstatReader,
}

impl Test<'_> {
    fn of(&mut self, path: Path) -> TestPins {
        let begin = Instant::now();
        let (mut figures, mut outcome) = self.attempt(path);
        for _ in 1..ATTEMPTS {
            if outcome.is_unseen() {
                (figures, outcome) = self.attempt(path);
            }
        }
        TestPins {
            path,
            figures,
            outcome,
            took: begin.elapsed(),
        }
    }

    fn attempt(&mut self, path: Path) -> (Figures, Outcome) {
        match self.try_once(path) {
            Ok(figures) if figures.acquired == 0 && path.may_take_references() => self.beside_vmstat(path),
            done => judged(done),
        }
    }

    /// Tries a path on which the hooks saw no pin and the kernel may take references instead of pins.
    fn beside_vmstat(&mut self, path: Path) -> (Figures, Outcome) {
        let before = self.vmstat.read().map(|vmstat| vmstat.acquired);
        let done = self.try_once(path);
        let after = self.vmstat.read().map(|vmstat| vmstat.acquired);
        match done {
            Ok(figures) if figures.acquired == 0 => (
                figures,
                Outcome::Skipped(outcome::without_pins(path, before, after)),
            ),
            done => judged(done),
        }
    }

    fn try_once(&mut self, path: Path) -> Result<Figures, String> {
        let worker = self.worker.as_mut().map_err(|why| why.clone())?;
        let unusable = |error: LedgerError| error.to_string();
        self.counters.begin(worker.pid_tgid()).map_err(unusable)?;
        worker.run(path)?;
        self.counters.wait(path.pages()).map_err(unusable)
    }
}

fn judged(done: Result<Figures, String>) -> (Figures, Outcome) {
    match done {
        Ok(figures) => (figures, outcome::judge(figures)),
        Err(why) => (Figures::default(), Outcome::Skipped(why)),
    }
}
