//! Subsystems and stack texts of code paths, resolved once and kept between snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pintrace_events::units::StackId;

use crate::limits;
use crate::stack::{Origin, StackTable};
use crate::subsystem::Subsystem;

/// The names that snapshots have shown. A stack or symbol may arrive after a snapshot that needed it: then the names are
/// stale, and all that shows names is resolved anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Subsystem and caller.
    of_origin: BTreeMap<Origin, (Subsystem, Arc<str>)>,
    text_of: BTreeMap<StackId, Arc<[String]>>,
    /// Stacks that were asked for, known or not.
    stacks: BTreeSet<StackId>,
    /// Addresses whose symbols were asked for, known or not.
    addresses: BTreeSet<u64>,
    stale: bool,
}

impl Names {
    /// A stack arrived.
    pub(crate) fn stack_seen(&mut self, stack: StackId) {
        self.stale |= self.stacks.contains(&stack);
    }

    /// The symbol of an address arrived.
    pub(crate) fn symbol_seen(&mut self, address: u64) {
        self.stale |= self.addresses.contains(&address);
    }

    /// Forgets all names if they are stale, and also if forged origins have filled the tables. Returns true if the names
    /// were forgotten.
    pub(crate) fn forget_stale(&mut self) -> bool {
        let full = self.addresses.len() > 2 * limits::SYMBOLS || self.of_origin.len() > 2 * limits::SYMBOLS;
        let forget = self.stale || full;
        if forget {
            *self = Self::default();
        }
        forget
    }
}

/// Resolves code paths.
pub(crate) struct Resolver<'a> {
    stacks: &'a StackTable,
    names: &'a mut Names,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(stacks: &'a StackTable, names: &'a mut Names) -> Self {
        Self { stacks, names }
    }

    /// Returns the subsystem of an origin.
    pub(crate) fn subsystem(&mut self, origin: Origin) -> Subsystem {
        self.of_origin(origin).0
    }

    /// Returns the subsystem of an origin, and the function that called the pin function, as `symbol [module]`: empty if
    /// unknown.
    pub(crate) fn of_origin(&mut self, origin: Origin) -> (Subsystem, Arc<str>) {
        if let Some(known) = self.names.of_origin.get(&origin) {
            return known.clone();
        }
        self.names.addresses.insert(origin.caller);
        if let Some(stack) = origin.stack {
            self.ask(stack);
        }
        let resolved = (self.stacks.subsystem(origin), self.stacks.caller(origin).into());
        self.names.of_origin.insert(origin, resolved.clone());
        resolved
    }

    /// Returns a stack as text; empty for `None`.
    pub(crate) fn text(&mut self, stack: Option<StackId>) -> Arc<[String]> {
        let Some(stack) = stack else {
            return Arc::default();
        };
        if let Some(text) = self.names.text_of.get(&stack) {
            return Arc::clone(text);
        }
        self.ask(stack);
        let text = self.stacks.text(stack);
        self.names.text_of.insert(stack, Arc::clone(&text));
        text
    }

    /// Notes that a stack and the symbols of its frames are needed.
    fn ask(&mut self, stack: StackId) {
        if self.names.stacks.insert(stack) {
            self.names.addresses.extend(self.stacks.frames(stack));
        }
    }
}
