//! Write protection by userfaultfd, of pinned memory and of memory that nobody pins.

use std::sync::{Mutex, PoisonError};
use std::thread;

use super::arguments::{Storm, Writing};
use super::crew::Crew;
use super::pinned::Pinned;
use super::stage::{Held, Stage};
use super::truth::Touch;
use crate::choice::Backing;
use crate::failure::Result;
use crate::memory::{Buffer, FirstTouch, Sharing, Wanted};
use crate::report;
use crate::run::joined;

/// The pinned range is write-protected again and again, each time until a writer was held up.
pub(super) fn writers(stage: &mut Stage, pinned: &mut Pinned, arguments: &Writing) -> Result<()> {
    let began_ns = report::now_ns();
    let before = pinned.frames();
    let faults = {
        let buffer: &Buffer = pinned.buffer()?;
        Crew::new(vec![buffer])?.run(arguments.writers, |crew| {
            for _ in 0..arguments.rounds {
                let faults = crew.faults();
                crew.protect(buffer)?;
                crew.await_fault(faults)?;
            }
            Ok(crew.faults())
        })?
    };
    for _ in 0..arguments.rounds {
        pinned.touched(stage, Touch::UffdWp, pinned.all());
    }
    stage.windows(arguments.rounds);
    // A frame that was left by a copy never comes back, so the whole time is one step.
    let seen = [
        ("write_protects", arguments.rounds),
        ("changed", arguments.rounds),
        ("faults_handled", faults),
        ("pages_copied", pinned.copied_since(stage, &before)?),
    ];
    stage.step("uffd_wp", &seen, began_ns)
}

/// Many threads write-protect at once; nothing is pinned.
pub(super) fn storm(stage: &mut Stage, arguments: &Storm) -> Result<()> {
    let ranges = if arguments.shared { 1 } else { arguments.threads };
    let buffers = (0..ranges).map(|_| Buffer::new(stage.wanted(Sharing::Private)));
    let buffers: Vec<Buffer> = buffers.collect::<Result<_>>()?;
    let untouched = Buffer::new(Wanted {
        backing: Backing::Small,
        first_touch: FirstTouch::Nothing,
        ..stage.wanted(Sharing::Private)
    })?;
    let first = &buffers[0];
    let held = Held::unpinned(first);
    let crew = Crew::new(buffers.iter().collect())?;
    crew.watch(&untouched)?;
    stage.ready(held)?;
    stage.wait()?;
    let began_ns = report::now_ns();
    let faults = crew.run(arguments.writers, |crew| {
        let turn = Mutex::new(());
        thread::scope(|scope| {
            let protect = |index: usize| {
                let (turn, untouched) = (&turn, &untouched);
                let buffer = &buffers[index % buffers.len()];
                move || rounds(crew, arguments, buffer, untouched, turn)
            };
            let threads = 0..usize::try_from(arguments.threads).unwrap_or(0);
            let threads: Vec<_> = threads.map(|index| scope.spawn(protect(index))).collect();
            threads.into_iter().map(joined).fold(Ok(()), Result::and)
        })?;
        Ok(crew.faults())
    })?;
    let each = u64::from(arguments.threads);
    let seen = [
        ("write_protects", each * (arguments.rounds + arguments.empty)),
        ("changed", each * arguments.rounds),
        ("faults_handled", faults),
    ];
    stage.windows(each * arguments.rounds);
    stage.step("uffd_wp", &seen, began_ns)?;
    stage.touched()?;
    stage.released(held, false, report::now_ns())?;
    stage.end()
}

/// What one thread does. Where a range is shared, another one might have protected it between the write that
/// makes sure of a change and the write-protect: so they take turns.
fn rounds(
    crew: &Crew<'_>,
    arguments: &Storm,
    buffer: &Buffer,
    untouched: &Buffer,
    turn: &Mutex<()>,
) -> Result<()> {
    for _ in 0..arguments.rounds {
        let _turn = arguments
            .shared
            .then(|| turn.lock().unwrap_or_else(PoisonError::into_inner));
        crew.protect(buffer)?;
    }
    (0..arguments.empty).try_for_each(|_| crew.protect_untouched(untouched))
}
