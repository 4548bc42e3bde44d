//! A pin of our own, through a path that harms nobody: process_vm_readv of one byte of our own memory pins its page
//! (`process_vm_rw_single_vec`, mm/process_vm_access.c), copies, and lets go, all in one system call.

use serde::Serialize;

use crate::event::Event;
use crate::model::Model;
use crate::pipeline::session::Session;

/// How it came out.
#[derive(Debug, Default, Serialize)]
pub(super) struct SelfTest {
    /// One page was seen pinned and released, and the books agree.
    pub(super) passed: bool,
    /// Pages of this process that were seen to be pinned.
    pub(super) pinned: u64,
    /// And released.
    pub(super) released: u64,
    /// What the books have that the hooks have not seen; absent where they cannot be read.
    pub(super) unaccounted: Option<i64>,
    /// In words.
    pub(super) text: String,
}

/// Pins and lets go, and looks.
pub(super) fn run(session: &mut Session, first: &[Event]) -> SelfTest {
    let mut model = Model::default();
    for event in first {
        model.apply(event);
    }
    if let Err(error) = pin_own_page() {
        return SelfTest {
            text: format!("not done: process_vm_readv: {error}"),
            ..SelfTest::default()
        };
    }
    match session.tick() {
        Ok(events) => {
            for event in &events {
                model.apply(event);
            }
        }
        Err(error) => {
            return SelfTest {
                text: format!("not done: {error}"),
                ..SelfTest::default()
            };
        }
    }
    let snapshot = model.snapshot();
    let own = std::process::id();
    let seen = snapshot.processes.iter().find(|process| process.pid.0 == own);
    let (pinned, released) = seen.map_or((0, 0), |process| (process.acquired, process.released));
    let truth = &snapshot.truth;
    let unaccounted = truth.books_readable.then_some(truth.unaccounted);
    let agree = match unaccounted {
        Some(0) => "the books agree",
        Some(_) => "the books do not agree",
        None => "the books cannot be read",
    };
    SelfTest {
        passed: pinned == 1 && released == 1 && unaccounted.is_none_or(|unaccounted| unaccounted == 0),
        pinned,
        released,
        unaccounted,
        text: format!("of 1 page pinned and let go, {pinned} was seen pinned and {released} let go; {agree}"),
    }
}

/// Reads one byte of our own through the kernel.
fn pin_own_page() -> std::io::Result<()> {
    let (mut to, mut from) = ([0u8; 1], [1u8; 1]);
    let vector = |bytes: &mut [u8; 1]| libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let (local, remote) = (vector(&mut to), vector(&mut from));
    // SAFETY: a system call without pointers.
    let own = unsafe { libc::getpid() };
    // SAFETY: both vectors describe one byte each that lives on this stack; the one that is written is borrowed mutably.
    let copied = unsafe { libc::process_vm_readv(own, &raw const local, 1, &raw const remote, 1, 0) };
    match copied {
        1 => Ok(()),
        -1 => Err(std::io::Error::last_os_error()),
        other => Err(std::io::Error::other(format!("{other} bytes copied"))),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn reading_our_own_memory_is_allowed() {
        super::pin_own_page().unwrap();
    }
}
