//! Rings with several buffers, or with a table of buffers.

use super::memory::{PAGES, huge, page, small, whole};
use super::ring::Ring;
use super::situation::Situation;
use crate::child::{self, ForkedChild};
use crate::failure::Result;
use crate::memory::Sharing;

/// Slots of the sparse table, of which one is filled.
const SLOTS: u32 = 1024;
const FILLED: u32 = 5;

/// One ring has two buffers. The mapping of the second buffer is gone.
pub(super) fn half_unmapped() -> Result<Situation> {
    let ring = Ring::new()?;
    let first = small(PAGES, Sharing::Private)?;
    let mut second = small(PAGES, Sharing::Private)?;
    ring.register_parts(&[whole(&first), whole(&second)])?;
    second.unmap()?;
    let mut situation = Situation::default();
    situation.holds(2 * PAGES);
    situation.keep((ring, first));
    Ok(situation)
}

/// A child fills a slot in the table of this process, with private memory of the child, and ends.
pub(super) fn sparse_table() -> Result<Situation> {
    let ring = Ring::new()?;
    ring.register_empty_table(SLOTS)?;
    let child = ForkedChild::fork(|_| ring.fill_slot(FILLED, &small(PAGES, Sharing::Private)?))?;
    child::check(child.wait()?)?;
    let mut situation = Situation::default();
    situation.holds(PAGES);
    situation.keep(ring);
    Ok(situation)
}

/// Two rings of this process have small buffers on one huge page.
pub(super) fn many_owners() -> Result<Situation> {
    let (first, second) = (Ring::new()?, Ring::new()?);
    let buffer = huge()?;
    let even: Vec<_> = (0..32).map(|index| page(&buffer, 2 * index)).collect();
    let odd: Vec<_> = (0..16).map(|index| page(&buffer, 4 * index + 1)).collect();
    first.register_parts(&even)?;
    second.register_parts(&odd)?;
    let mut situation = Situation::default();
    situation.holds((even.len() + odd.len()) as u64);
    situation.keep((first, second, buffer));
    Ok(situation)
}
