//! Symbols of stacks and addresses, emitted once per stream.

use std::collections::HashSet;

use pintrace_events::units::StackId;
use pintrace_events::{Body, StackSeen, SymbolSeen};
use pintrace_kernel::kallsyms::Kallsyms;
use pintrace_probes::table::HOOKS;

/// The kernel's symbols, and the stacks and addresses that events have named.
pub struct Names {
    symbols: Kallsyms,
    stacks: HashSet<u32>,
    addresses: HashSet<u64>,
}

impl Names {
    /// Resolves addresses by `symbols`. No address has been named.
    pub fn new(symbols: Kallsyms) -> Self {
        Self {
            symbols,
            stacks: HashSet::new(),
            addresses: HashSet::new(),
        }
    }

    /// Adds the symbol of an address to `out`, if the address has a symbol and is new.
    pub fn address(&mut self, address: u64, out: &mut Vec<Body>) {
        if address == 0 || !self.addresses.insert(address) {
            return;
        }
        // If a call is the last instruction of a function, then the return address is the first byte of the next
        // function.
        if let Some(located) = self.symbols.locate(address.saturating_sub(1)) {
            out.push(Body::SymbolSeen(SymbolSeen {
                address,
                symbol: located.symbol.to_owned(),
                offset: located.offset + 1,
                module: located.module.to_owned(),
            }));
        }
    }

    /// Adds a new stack to `out`: first the symbols of the frames, then the stack. Returns the id of the stack, or
    /// `None` for a negative `id`.
    pub fn stack(
        &mut self,
        id: i64,
        frames: impl FnOnce(u32) -> Vec<u64>,
        out: &mut Vec<Body>,
    ) -> Option<StackId> {
        let id = u32::try_from(id).ok()?;
        if self.stacks.insert(id) {
            let frames = self.trim_to_pin_function(frames(id));
            for address in &frames {
                self.address(*address, out);
            }
            out.push(Body::StackSeen(StackSeen {
                stack: StackId(id),
                frames,
            }));
        }
        Some(StackId(id))
    }

    /// Drops the frames of the BPF program and its trampoline, so that the stack begins at the pin function.
    fn trim_to_pin_function(&self, frames: Vec<u64>) -> Vec<u64> {
        let hooked = |address: &u64| {
            let located = self.symbols.locate(*address);
            located.is_some_and(|at| HOOKS.iter().any(|hook| hook.function == at.symbol))
        };
        match frames.iter().position(hooked) {
            Some(start) => frames[start..].to_vec(),
            None => frames,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ffffffff81000000 T pin_user_pages_fast\nffffffff81000400 t io_pin_pages\n";

    fn names() -> Names {
        Names::new(Kallsyms::parse(TEXT))
    }

    #[test]
    fn a_stack_begins_at_the_pin_function_and_is_named_once() {
        let mut names = names();
        let mut out = Vec::new();
        let frames = || {
            vec![
                0xffff_ffff_c0de_0000,
                0xffff_ffff_8100_0005,
                0xffff_ffff_8100_0410,
            ]
        };
        names.stack(3, |_| frames(), &mut out);
        let Some(Body::StackSeen(stack)) = out.last() else {
            panic!("no stack")
        };
        assert_eq!(stack.frames, frames()[1..]);
        assert_eq!(out.len(), 3);
        names.stack(3, |_| frames(), &mut out);
        assert_eq!(out.len(), 3);
    }

    #[test]
    fn a_stack_that_was_lost_has_no_id() {
        assert_eq!(names().stack(-17, |_| Vec::new(), &mut Vec::new()), None);
    }

    #[test]
    fn the_symbol_is_the_function_of_the_call_before_the_return_address() {
        let mut out = Vec::new();
        names().address(0xffff_ffff_8100_0400, &mut out);
        let [Body::SymbolSeen(symbol)] = out.as_slice() else {
            panic!("not named")
        };
        assert_eq!(
            (symbol.symbol.as_str(), symbol.offset),
            ("pin_user_pages_fast", 0x400)
        );
    }
}
