//! Kernel stacks and the names of their addresses.
//!
//! A symbol may arrive after the stack that needs it, so stacks are resolved only on demand.

use std::collections::BTreeMap;
use std::sync::Arc;

use pintrace_events::units::StackId;
use pintrace_events::{StackSeen, SymbolSeen};

use crate::caller;
use crate::limits;
use crate::subsystem::Subsystem;

/// The code path of pins, by address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    /// Return address in the caller of the pin function; 0 if unknown.
    pub(crate) caller: u64,
    /// Stack of the first pin.
    pub(crate) stack: Option<StackId>,
    /// Subsystem of the process's open descriptors, if caller and stack are unknown.
    pub(crate) likely_subsystem: Option<Subsystem>,
}

#[derive(Clone, Debug)]
struct FrameSymbol {
    name: Arc<str>,
    offset: u64,
    module: Arc<str>,
}

/// All stacks, and the symbols of code addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct StackTable {
    stacks: BTreeMap<StackId, Box<[u64]>>,
    symbols: BTreeMap<u64, FrameSymbol>,
}

impl StackTable {
    /// Returns the number of stacks and symbols.
    pub(crate) fn objects(&self) -> usize {
        self.stacks.len() + self.symbols.len()
    }

    /// Takes a stack; returns false if there is no room.
    pub(crate) fn stack_seen(&mut self, seen: &StackSeen) -> bool {
        if self.stacks.len() >= limits::STACKS && !self.stacks.contains_key(&seen.stack) {
            return false;
        }
        let frames = seen.frames.iter().copied().take(limits::FRAMES).collect();
        self.stacks.insert(seen.stack, frames);
        true
    }

    /// Takes the symbol of an address; returns false if there is no room.
    pub(crate) fn symbol_seen(&mut self, seen: &SymbolSeen) -> bool {
        if self.symbols.len() >= limits::SYMBOLS && !self.symbols.contains_key(&seen.address) {
            return false;
        }
        let symbol = FrameSymbol {
            name: limits::clip(&seen.symbol, limits::SYMBOL_CHARS).into(),
            offset: seen.offset,
            module: limits::clip(&seen.module, limits::SYMBOL_CHARS).into(),
        };
        self.symbols.insert(seen.address, symbol);
        true
    }

    /// Returns the subsystem of an origin: by its stack, else by its caller, else the likely subsystem.
    pub(crate) fn subsystem(&self, origin: Origin) -> Subsystem {
        let frames = origin.stack.and_then(|stack| self.stacks.get(&stack));
        let names = frames
            .iter()
            .flat_map(|frames| frames.iter())
            .filter_map(|frame| self.name(*frame));
        Subsystem::of_stack(&names)
            .or_else(|| Subsystem::of_stack(&self.name(origin.caller).into_iter()))
            .or(origin.likely_subsystem)
            .unwrap_or_default()
    }

    /// Returns the function that called the pin function, as `symbol [module]`: by the caller of the origin, else by the
    /// innermost frame of its stack that is not one of mm/gup.c. An address without a symbol stands for itself. Empty if
    /// nothing is known.
    pub(crate) fn caller(&self, origin: Origin) -> String {
        let frames = || origin.stack.into_iter().flat_map(|stack| self.frames(stack));
        let named = [origin.caller]
            .into_iter()
            .chain(frames())
            .filter_map(|address| self.symbols.get(&address))
            .find(|symbol| !caller::is_pin_function(&symbol.name));
        match (named, origin.caller) {
            (Some(symbol), _) => caller::place(&symbol.name, &symbol.module),
            (None, 0) => frames()
                .next()
                .map_or_else(String::new, |frame| format!("{frame:#x}")),
            (None, address) => format!("{address:#x}"),
        }
    }

    /// Returns a stack as text, innermost frame first.
    pub(crate) fn text(&self, stack: StackId) -> Arc<[String]> {
        let Some(frames) = self.stacks.get(&stack) else {
            return Arc::default();
        };
        let mut text = Vec::with_capacity(frames.len());
        let mut index = 0;
        while let Some(frame) = frames.get(index) {
            if self.is_trampoline(frames, index) {
                // The next frame is the function's own call of the trampoline, whose body has its frame already.
                index += 2;
                continue;
            }
            text.push(self.frame(*frame));
            index += 1;
        }
        text.into()
    }

    /// Returns true for the frame of a BPF trampoline: code without a symbol that a function calls at its entry, and that
    /// calls the body of the same function (arch/x86/net/bpf_jit_comp.c).
    fn is_trampoline(&self, frames: &[u64], index: usize) -> bool {
        let name = |index: usize| frames.get(index).and_then(|frame| self.name(*frame));
        let inner = index.checked_sub(1).and_then(name);
        name(index).is_none() && inner.is_some() && inner == name(index + 1)
    }

    /// Returns the addresses of a stack, innermost frame first; nothing for an unknown stack.
    pub(crate) fn frames(&self, stack: StackId) -> impl Iterator<Item = u64> + use<'_> {
        self.stacks.get(&stack).into_iter().flatten().copied()
    }

    fn name(&self, address: u64) -> Option<&str> {
        self.symbols.get(&address).map(|symbol| &*symbol.name)
    }

    fn frame(&self, address: u64) -> String {
        match self.symbols.get(&address) {
            None => format!("{address:#x}"),
            Some(FrameSymbol { name, offset, module }) if module.is_empty() => {
                format!("{name}+{offset:#x}")
            }
            Some(FrameSymbol { name, offset, module }) => format!("{name}+{offset:#x} [{module}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trampoline_of_bpf_is_no_frame() {
        let mut table = StackTable::default();
        for (address, name) in [(1, "body"), (3, "body"), (4, "caller")] {
            table.symbol_seen(&SymbolSeen {
                address,
                symbol: name.to_owned(),
                offset: address,
                module: String::new(),
            });
        }
        let text = |table: &mut StackTable, frames: &[u64]| {
            let stack = StackId(1);
            table.stack_seen(&StackSeen {
                stack,
                frames: frames.to_vec(),
            });
            table.text(stack).join(" ")
        };
        assert_eq!(text(&mut table, &[1, 2, 3, 4]), "body+0x1 caller+0x4");
        assert_eq!(
            text(&mut table, &[1, 2, 4]),
            "body+0x1 0x2 caller+0x4",
            "other code without a name"
        );
        assert_eq!(text(&mut table, &[2, 3, 4]), "0x2 body+0x3 caller+0x4");
        assert_eq!(text(&mut table, &[4, 2]), "caller+0x4 0x2");
    }
}
