//! The events of one batch, with the stacks and symbols that the events mention.

use pintrace_events::units::{Nanos, StackId};
use pintrace_events::{Body, Event};
use pintrace_source::ledger::Ledger;

use super::names::Names;

/// Collects events in order.
pub(super) struct Emitter {
    names: Names,
    events: Vec<Event>,
}

impl Emitter {
    pub(super) fn new(names: Names) -> Self {
        Self {
            names,
            events: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, time: Nanos, body: Body) {
        self.events.push(Event { time, body });
    }

    /// Emits the frames and symbols of a stack if the stack is new. Returns the id of the stack, or `None` if the
    /// kernel stored no stack.
    pub(super) fn stack(&mut self, time: Nanos, stack: i64, ledger: &Ledger) -> Option<StackId> {
        let mut named = Vec::new();
        let stack = self.names.stack(stack, |id| ledger.stack(id), &mut named);
        self.push_all(time, named);
        stack
    }

    /// Emits the symbol of an address if the address is new.
    pub(super) fn address(&mut self, time: Nanos, address: u64) {
        let mut named = Vec::new();
        self.names.address(address, &mut named);
        self.push_all(time, named);
    }

    /// Appends the events emitted since the last call to `events`. The buffer of this emitter keeps its memory.
    pub(super) fn take(&mut self, events: &mut Vec<Event>) {
        events.append(&mut self.events);
    }

    fn push_all(&mut self, time: Nanos, bodies: Vec<Body>) {
        self.events
            .extend(bodies.into_iter().map(|body| Event { time, body }));
    }
}
