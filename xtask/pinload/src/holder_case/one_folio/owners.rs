//! The owners: each holds one pin on one page of the huge page.

use serde::Serialize;

use super::ambiguity::{Ambiguity, BuffersByPage};
use super::blocked_threads::{BlockedThread, BlockedThreads, check};
use super::{HUGE, PAGE, STEPS};
use crate::failure::{Failure, Result};
use crate::holder_case::generator::Generator;
use crate::holder_case::memory::{page, small};
use crate::holder_case::ring::Ring;
use crate::memory::{Buffer, Sharing};
use crate::self_read::read_page;

/// One owner, as the checkpoints name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct LiveOwner {
    kind: &'static str,
    /// The pinned page.
    address: u64,
    /// The thread that holds the pin, of a blocked thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<i32>,
}

/// What holds the pin.
enum Holder {
    /// A buffer of its own ring.
    Ring { _ring: Ring },
    /// A buffer in a slot of the common ring.
    Slot(u32),
    /// A thread inside a system call.
    Thread(BlockedThread),
}

struct Owner {
    page: usize,
    holder: Holder,
}

/// The huge page and its owners.
pub(super) struct Owners {
    folio: Buffer,
    all: Vec<Owner>,
    /// Number of owners so far.
    made: usize,
    /// The ring with many slots; `None` before 5.13.
    common: Option<Ring>,
    threads: BlockedThreads,
    buffers: BuffersByPage,
    generator: Generator,
    /// Destination of [`Self::pin_and_unpin`].
    copy: Buffer,
}

impl Owners {
    /// Returns a huge page without owners.
    pub(super) fn new(folio: Buffer, seed: u64) -> Result<Self> {
        let most = STEPS[STEPS.len() - 1];
        let common = Ring::new()?;
        let slots = u32::try_from(most).unwrap_or(u32::MAX);
        let common = match common.register_empty_table(slots) {
            Ok(()) => Some(common),
            Err(Failure { code: 3, .. }) => None,
            Err(failure) => return Err(failure),
        };
        Ok(Self {
            folio,
            all: Vec::new(),
            made: 0,
            common,
            threads: BlockedThreads::new(most)?,
            buffers: BuffersByPage::default(),
            generator: Generator::new(seed),
            copy: small(1, Sharing::Private)?,
        })
    }

    /// Returns the address of the huge page.
    pub(super) const fn address(&self) -> usize {
        self.folio.address()
    }

    /// Adds owners, or ends random owners, until there are `number`.
    pub(super) fn become_many(&mut self, number: usize) -> Result<()> {
        while self.all.len() < number {
            self.add()?;
        }
        while self.all.len() > number {
            let index = self.generator.below(self.all.len() as u64);
            self.end(usize::try_from(index).unwrap_or(0))?;
        }
        Ok(())
    }

    /// Returns the owners at this moment.
    pub(super) fn live(&self) -> Vec<LiveOwner> {
        let live = |owner: &Owner| {
            let (kind, tid) = match &owner.holder {
                Holder::Ring { .. } => ("ring", None),
                Holder::Slot(_) => ("buffer", None),
                Holder::Thread(thread) => ("thread", Some(thread.tid)),
            };
            LiveOwner {
                kind,
                address: (self.folio.address() + owner.page * PAGE) as u64,
                tid,
            }
        };
        self.all.iter().map(live).collect()
    }

    /// Returns the releases so far whose owner cannot be known.
    pub(super) const fn ambiguity(&self) -> Ambiguity {
        self.buffers.ambiguity
    }

    /// Pins and unpins the first page of the huge page.
    pub(super) fn pin_and_unpin(&self) -> Result<()> {
        check(read_page(self.copy.address(), self.folio.address(), PAGE))
    }

    /// Adds an owner. Of four owners, one is a ring, one is a thread, and two are slots of the common ring.
    fn add(&mut self) -> Result<()> {
        let number = self.made;
        self.made += 1;
        let page = number % (HUGE / PAGE);
        let holder = match number % 4 {
            1 => Holder::Thread(self.threads.start(self.folio.address() + page * PAGE)?),
            2 | 3 if self.common.is_some() => self.fill_slot(number, page)?,
            _ => self.open_ring(page)?,
        };
        if !matches!(holder, Holder::Thread(_)) {
            self.buffers.add(page);
        }
        self.all.push(Owner { page, holder });
        Ok(())
    }

    fn open_ring(&self, number: usize) -> Result<Holder> {
        let ring = Ring::new()?;
        ring.register_parts(&[page(&self.folio, number)])?;
        Ok(Holder::Ring { _ring: ring })
    }

    fn fill_slot(&self, slot: usize, number: usize) -> Result<Holder> {
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        if let Some(common) = &self.common {
            common.fill_slot_with(slot, page(&self.folio, number))?;
        }
        Ok(Holder::Slot(slot))
    }

    fn end(&mut self, index: usize) -> Result<()> {
        let owner = self.all.swap_remove(index);
        match owner.holder {
            Holder::Thread(thread) => return self.threads.end(thread),
            Holder::Ring { _ring: ring } => ring.unregister()?,
            Holder::Slot(slot) => {
                if let Some(common) = &self.common {
                    common.empty_slot(slot)?;
                }
            }
        }
        self.buffers.remove(owner.page);
        Ok(())
    }
}
