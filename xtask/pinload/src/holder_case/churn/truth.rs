//! What the kernel must know of the rings: their pages, and the processes that have them open.

use std::collections::BTreeMap;

use serde::Serialize;

/// The number of a ring, which is never used again.
pub(super) type RingId = u32;

/// A ring that holds pins.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct HeldRing {
    pages: u64,
    /// The processes that have the ring open.
    pids: Vec<i32>,
}

#[derive(Debug, Default)]
struct OpenRing {
    /// Pages of the registered buffer; 0 without a buffer.
    pages: u64,
    /// The number of descriptors in each process that has any.
    descriptors: BTreeMap<i32, u64>,
}

/// The rings that a process has open.
#[derive(Debug, Default)]
pub(super) struct Truth(BTreeMap<RingId, OpenRing>);

impl Truth {
    /// Notes one more descriptor of a ring, which may be new.
    pub(super) fn opened(&mut self, ring: RingId, pid: i32) {
        *self
            .0
            .entry(ring)
            .or_default()
            .descriptors
            .entry(pid)
            .or_default() += 1;
    }

    /// Notes one descriptor less. A ring without descriptors is gone, and with it its buffer.
    pub(super) fn closed(&mut self, ring: RingId, pid: i32) {
        if let Some(open) = self.0.get_mut(&ring)
            && let Some(count) = open.descriptors.get_mut(&pid)
        {
            *count -= 1;
        }
        self.drop_unused();
    }

    /// Notes the pages of a ring's buffer; 0 for no buffer.
    pub(super) fn registered(&mut self, ring: RingId, pages: u64) {
        if let Some(open) = self.0.get_mut(&ring) {
            open.pages = pages;
        }
    }

    /// Notes that a process has forked `child`, which has the same descriptors.
    pub(super) fn forked(&mut self, pid: i32, child: i32) {
        for open in self.0.values_mut() {
            if let Some(&count) = open.descriptors.get(&pid) {
                open.descriptors.insert(child, count);
            }
        }
    }

    /// Notes the end of a process.
    pub(super) fn ended(&mut self, pid: i32) {
        for open in self.0.values_mut() {
            open.descriptors.remove(&pid);
        }
        self.drop_unused();
    }

    fn drop_unused(&mut self) {
        self.0.retain(|_, open| {
            open.descriptors.retain(|_, &mut count| count > 0);
            !open.descriptors.is_empty()
        });
    }

    /// Returns the rings that a process has open.
    pub(super) fn rings(&self, pid: i32) -> Vec<RingId> {
        let open = |open: &OpenRing| open.descriptors.contains_key(&pid);
        let rings = self.0.iter().filter(|(_, ring)| open(ring));
        rings.map(|(&ring, _)| ring).collect()
    }

    /// Returns the number of descriptors of a process that lead to a ring.
    pub(super) fn descriptors(&self, pid: i32) -> u64 {
        let counts = self.0.values().filter_map(|open| open.descriptors.get(&pid));
        counts.sum()
    }

    /// Returns true if the ring has a buffer.
    pub(super) fn is_registered(&self, ring: RingId) -> bool {
        self.0.get(&ring).is_some_and(|open| open.pages > 0)
    }

    /// Returns the rings with a buffer.
    pub(super) fn held(&self) -> Vec<HeldRing> {
        let rings = self.0.values().filter(|open| open.pages > 0);
        rings
            .map(|open| HeldRing {
                pages: open.pages,
                pids: open.descriptors.keys().copied().collect(),
            })
            .collect()
    }

    /// Returns the pages of all rings.
    pub(super) fn pinned(&self) -> u64 {
        self.0.values().map(|open| open.pages).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_lasts_until_its_last_descriptor_is_closed() {
        let mut truth = Truth::default();
        truth.opened(1, 10);
        truth.opened(1, 10);
        truth.registered(1, 5);
        truth.forked(10, 11);
        assert_eq!((truth.descriptors(11), truth.rings(11)), (2, vec![1]));
        truth.closed(1, 10);
        truth.closed(1, 10);
        let held = HeldRing {
            pages: 5,
            pids: vec![11],
        };
        assert_eq!((truth.held(), truth.pinned()), (vec![held], 5));
        truth.ended(11);
        assert_eq!((truth.held(), truth.pinned()), (vec![], 0));
    }

    #[test]
    fn a_ring_without_a_buffer_holds_nothing() {
        let mut truth = Truth::default();
        truth.opened(1, 10);
        truth.registered(1, 5);
        assert!(truth.is_registered(1));
        truth.registered(1, 0);
        assert_eq!((truth.is_registered(1), truth.rings(10)), (false, vec![1]));
        assert!(truth.held().is_empty());
    }
}
