//! One step: a random operation of a random worker, and what it changes.

use std::collections::BTreeMap;

use super::pool::Pool;
use super::request::Request;
use super::truth::{RingId, Truth};
use crate::failure::Result;
use crate::holder_case::generator::Generator;

/// Descriptors of a worker from which on the worker only closes descriptors.
const MANY_DESCRIPTORS: u64 = 8;
/// Limit of the operations between the last opened ring and a checkpoint.
const MOST_AFTERWARDS: u64 = 4;
/// Most pages of a buffer.
const MOST_PAGES: u64 = 16;

/// The workers with what they have done.
pub(super) struct Churn {
    pub(super) pool: Pool,
    pub(super) truth: Truth,
    pub(super) generator: Generator,
    /// Operations so far.
    pub(super) steps: u64,
    /// The child of each worker that has one, by the index of the worker.
    children: BTreeMap<usize, i32>,
    next_ring: RingId,
}

impl Churn {
    /// Returns a state without rings.
    pub(super) fn new(pool: Pool, seed: u64) -> Self {
        Self {
            pool,
            truth: Truth::default(),
            generator: Generator::new(seed),
            steps: 0,
            children: BTreeMap::new(),
            next_ring: 0,
        }
    }

    /// Returns the pids of the workers and of their children.
    pub(super) fn pids(&self) -> Vec<i32> {
        self.pool.pids().chain(self.children.values().copied()).collect()
    }

    /// Returns the number of rings opened so far.
    pub(super) fn opened(&self) -> u64 {
        u64::from(self.next_ring)
    }

    /// Lets random workers carry out random operations until `rings` rings have been opened, and some more operations that
    /// open none.
    pub(super) fn open_until(&mut self, rings: u64) -> Result<()> {
        while self.opened() < rings {
            self.step()?;
        }
        for _ in 0..self.generator.below(MOST_AFTERWARDS) {
            self.change()?;
        }
        Ok(())
    }

    /// Lets a random worker carry out a random operation.
    fn step(&mut self) -> Result<()> {
        if self.generator.below(4) == 0 {
            let worker = self.worker();
            if self.truth.descriptors(self.pool.pid(worker)) < MANY_DESCRIPTORS {
                self.steps += 1;
                return self.open(worker);
            }
        }
        self.change()
    }

    /// Lets a random worker carry out a random operation on one of its rings, or nothing if the worker has none.
    fn change(&mut self) -> Result<()> {
        let worker = self.worker();
        let pid = self.pool.pid(worker);
        let rings = self.truth.rings(pid);
        let Some(ring) = self.generator.pick(&rings) else {
            return Ok(());
        };
        self.steps += 1;
        let die = self.generator.below(9);
        match die {
            _ if self.truth.descriptors(pid) >= MANY_DESCRIPTORS => self.close(worker, ring),
            0 => {
                self.truth.opened(ring, pid);
                self.ask(worker, Request::Duplicate { ring })
            }
            1 | 2 => self.pass(worker, ring),
            3..6 => self.close(worker, ring),
            6 => self.change_buffer(worker, ring),
            _ => self.change_child(worker, die == 7),
        }
    }

    fn open(&mut self, worker: usize) -> Result<()> {
        let ring = self.next_ring;
        self.next_ring += 1;
        self.truth.opened(ring, self.pool.pid(worker));
        self.ask(worker, Request::Open { ring })?;
        self.register(worker, ring)
    }

    fn register(&mut self, worker: usize, ring: RingId) -> Result<()> {
        let pages = 1 + self.generator.below(MOST_PAGES);
        self.truth.registered(ring, pages);
        self.ask(worker, Request::Register { ring, pages })
    }

    /// Removes the buffer of a ring, or registers one if the ring has none.
    fn change_buffer(&mut self, worker: usize, ring: RingId) -> Result<()> {
        if !self.truth.is_registered(ring) {
            return self.register(worker, ring);
        }
        self.truth.registered(ring, 0);
        self.ask(worker, Request::Unregister { ring })
    }

    /// Passes a ring, perhaps to the worker itself.
    fn pass(&mut self, worker: usize, ring: RingId) -> Result<()> {
        let (to, from) = (self.worker(), self.pool.pid(worker));
        self.truth.opened(ring, self.pool.pid(to));
        self.ask(worker, Request::Pass { ring, to })?;
        self.ask(to, Request::Receive { ring, from })
    }

    fn close(&mut self, worker: usize, ring: RingId) -> Result<()> {
        self.truth.closed(ring, self.pool.pid(worker));
        self.ask(worker, Request::Close { ring })
    }

    /// Ends the worker's child, or forks one if the worker has none.
    fn change_child(&mut self, worker: usize, program: bool) -> Result<()> {
        if let Some(child) = self.children.remove(&worker) {
            self.truth.ended(child);
            return self.ask(worker, Request::EndChild);
        }
        let child = self.pool.ask(worker, Request::Fork { program })?;
        self.truth.forked(self.pool.pid(worker), child);
        self.children.insert(worker, child);
        Ok(())
    }

    fn worker(&mut self) -> usize {
        let size = self.pool.size() as u64;
        usize::try_from(self.generator.below(size)).unwrap_or(0)
    }

    fn ask(&mut self, worker: usize, request: Request) -> Result<()> {
        self.pool.ask(worker, request).map(drop)
    }
}
