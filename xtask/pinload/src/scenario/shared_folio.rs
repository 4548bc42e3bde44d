//! Huge pages of which several pin calls pin separate pages.

use std::io::IoSliceMut;
use std::iter::once;
use std::ops::Range;

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::getpid;

use super::discard::discard_and_finish;
use super::pinned::Pinned;
use super::scenario_run::ScenarioRun;
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, MemorySpec, PAGE, Sharing};
use crate::report;

/// A short-term pin on another page of the huge page comes and goes; then the pinned pages are dropped.
pub(super) fn foreign_pin(run: &mut ScenarioRun) -> Result<()> {
    let (pinned, other) = with_foreign_pin(run)?;
    discard_and_finish(run, pinned, once(0..other))
}

/// Control: only the other page is dropped.
pub(super) fn quiet_foreign_pin(run: &mut ScenarioRun) -> Result<()> {
    let (pinned, other) = with_foreign_pin(run)?;
    discard_and_finish(run, pinned, once(other..other + 1))
}

/// Every second page is a buffer of its own; the pages of the second half of the buffers are dropped, one by one.
pub(super) fn many_buffers(run: &mut ScenarioRun) -> Result<()> {
    let (pinned, buffers) = every_second_page(run)?;
    let last = buffers.clone().skip(buffers.len() / 2);
    discard_and_finish(run, pinned, last.map(|buffer| page(2 * buffer)))
}

/// Control: the pages after these buffers are dropped.
pub(super) fn quiet_many_buffers(run: &mut ScenarioRun) -> Result<()> {
    let (pinned, buffers) = every_second_page(run)?;
    let last = buffers.clone().skip(buffers.len() / 2);
    discard_and_finish(run, pinned, last.map(|buffer| page(2 * buffer + 1)))
}

/// Pins the wanted pages, and reads the next page by process_vm_readv. Returns the number of the page that was read.
fn with_foreign_pin(run: &ScenarioRun) -> Result<(Pinned, usize)> {
    let buffer = Buffer::new(MemorySpec {
        pages: run.pages() + 1,
        ..run.wanted(Sharing::Private)
    })?;
    let other = buffer.bytes() / PAGE - 1;
    let mut pinned = Pinned::parts(run, buffer, once(0..other))?;
    let began_ns = report::now_ns();
    let read = read(pinned.buffer()?.address() + other * PAGE)?;
    run.step("process_vm_readv", &[("bytes_read", read as u64)], began_ns)?;
    Ok((pinned, other))
}

/// Reads a page of this process, which pins the page during the call.
fn read(address: usize) -> Result<usize> {
    let mut page = [0; PAGE];
    let remote = [RemoteIoVec {
        base: address,
        len: PAGE,
    }];
    let read = process_vm_readv(getpid(), &mut [IoSliceMut::new(&mut page)], &remote)
        .failing("cannot read this process's own memory", "run as root")?;
    if read == PAGE {
        return Ok(read);
    }
    Err(Failure::failed(
        format!("process_vm_readv read {read} bytes"),
        "report this as a bug of pinload",
    ))
}

/// Pins every second page as a buffer of its own, all with one system call. Returns the numbers of the buffers.
fn every_second_page(run: &ScenarioRun) -> Result<(Pinned, Range<usize>)> {
    let buffer = Buffer::new(MemorySpec {
        pages: 2 * run.pages(),
        ..run.wanted(Sharing::Private)
    })?;
    let buffers = 0..buffer.bytes() / PAGE / 2;
    let pinned = Pinned::parts(run, buffer, buffers.clone().map(|buffer| page(2 * buffer)))?;
    Ok((pinned, buffers))
}

const fn page(number: usize) -> Range<usize> {
    number..number + 1
}
