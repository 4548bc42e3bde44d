//! Subsystems and stack texts for one snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use pintrace_events::units::StackId;

use crate::stack::{Origin, StackTable};
use crate::subsystem::Subsystem;

/// Resolves code paths, each path once per snapshot.
pub(crate) struct Resolver<'a> {
    stacks: &'a StackTable,
    subsystem_of: BTreeMap<Origin, Subsystem>,
    text_of: BTreeMap<StackId, Arc<[String]>>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(stacks: &'a StackTable) -> Self {
        Self {
            stacks,
            subsystem_of: BTreeMap::new(),
            text_of: BTreeMap::new(),
        }
    }

    /// Returns the subsystem of an origin.
    pub(crate) fn subsystem(&mut self, origin: Origin) -> Subsystem {
        let stacks = self.stacks;
        *self
            .subsystem_of
            .entry(origin)
            .or_insert_with(|| stacks.subsystem(origin))
    }

    /// Returns a stack as text; empty for `None`.
    pub(crate) fn text(&mut self, stack: Option<StackId>) -> Arc<[String]> {
        let stacks = self.stacks;
        let text = |stack| Arc::clone(self.text_of.entry(stack).or_insert_with(|| stacks.text(stack)));
        stack.map(text).unwrap_or_default()
    }
}
