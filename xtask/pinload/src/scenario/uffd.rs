//! Write protection by userfaultfd of pinned memory and of unpinned memory.

use std::sync::{Mutex, PoisonError};
use std::thread;

use super::expected::ExpectedTrigger;
use super::memory_arguments::{UffdStormArgs, UffdWritersArgs};
use super::pinned::Pinned;
use super::scenario_run::{PinnedRange, ScenarioRun};
use super::uffd_writers::UffdWriters;
use crate::choice::Backing;
use crate::failure::Result;
use crate::memory::{Buffer, FirstTouch, MemorySpec, Sharing};
use crate::report;
use crate::run::joined;

/// Write-protects the pinned range repeatedly, each time until a writer has faulted.
pub(super) fn writers(run: &mut ScenarioRun, pinned: &mut Pinned, arguments: &UffdWritersArgs) -> Result<()> {
    let began_ns = report::now_ns();
    let before = pinned.frames();
    let faults = {
        let buffer: &Buffer = pinned.buffer()?;
        UffdWriters::new(vec![buffer])?.run(arguments.writers, |writers| {
            for _ in 0..arguments.rounds {
                let faults = writers.faults();
                writers.protect(buffer)?;
                writers.await_fault(faults)?;
            }
            Ok(writers.faults())
        })?
    };
    for _ in 0..arguments.rounds {
        pinned.changed_by(run, ExpectedTrigger::UffdWp, pinned.all());
    }
    run.windows(arguments.rounds);
    // A page never gets back a frame that a copy replaced, so all rounds together are one step.
    let seen = [
        ("write_protects", arguments.rounds),
        ("changed", arguments.rounds),
        ("faults_handled", faults),
        ("pages_copied", pinned.copied_since(run, &before)?),
    ];
    run.step("uffd_wp", &seen, began_ns)
}

/// Many threads write-protect at once; nothing is pinned.
pub(super) fn storm(run: &mut ScenarioRun, arguments: &UffdStormArgs) -> Result<()> {
    let ranges = if arguments.shared { 1 } else { arguments.threads };
    let buffers = (0..ranges).map(|_| Buffer::new(run.wanted(Sharing::Private)));
    let buffers: Vec<Buffer> = buffers.collect::<Result<_>>()?;
    let untouched = Buffer::new(MemorySpec {
        backing: Backing::Small,
        first_touch: FirstTouch::Nothing,
        ..run.wanted(Sharing::Private)
    })?;
    let first = &buffers[0];
    let held = PinnedRange::unpinned(first);
    let writers = UffdWriters::new(buffers.iter().collect())?;
    writers.watch(&untouched)?;
    run.ready(held)?;
    run.wait()?;
    let began_ns = report::now_ns();
    let faults = writers.run(arguments.writers, |writers| {
        let lock = Mutex::new(());
        thread::scope(|scope| {
            let protect = |index: usize| {
                let (lock, untouched) = (&lock, &untouched);
                let buffer = &buffers[index % buffers.len()];
                move || rounds(writers, arguments, buffer, untouched, lock)
            };
            let threads = 0..usize::try_from(arguments.threads).unwrap_or(0);
            let threads: Vec<_> = threads.map(|index| scope.spawn(protect(index))).collect();
            threads.into_iter().map(joined).fold(Ok(()), Result::and)
        })?;
        Ok(writers.faults())
    })?;
    let each = u64::from(arguments.threads);
    let seen = [
        ("write_protects", each * (arguments.rounds + arguments.empty)),
        ("changed", each * arguments.rounds),
        ("faults_handled", faults),
    ];
    run.windows(each * arguments.rounds);
    run.step("uffd_wp", &seen, began_ns)?;
    run.changed()?;
    run.released(held, false, report::now_ns())?;
    run.end()
}

/// Runs the rounds of one thread. Threads that share a range hold a lock. Without the lock, another thread could
/// write-protect the range after the write that makes the next write-protect change a page.
fn rounds(
    writers: &UffdWriters<'_>,
    arguments: &UffdStormArgs,
    buffer: &Buffer,
    untouched: &Buffer,
    lock: &Mutex<()>,
) -> Result<()> {
    for _ in 0..arguments.rounds {
        let _turn = arguments
            .shared
            .then(|| lock.lock().unwrap_or_else(PoisonError::into_inner));
        writers.protect(buffer)?;
    }
    (0..arguments.empty).try_for_each(|_| writers.protect_untouched(untouched))
}
