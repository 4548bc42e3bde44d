//! Naming stacks and addresses, each once a stream.

use std::collections::HashSet;

use pintrace_events::units::StackId;
use pintrace_events::{Body, StackSeen, SymbolSeen};
use pintrace_kernel::kallsyms::Kallsyms;
use pintrace_probes::table::HOOKS;

/// Remembers what has been named.
pub struct Names {
    symbols: Kallsyms,
    stacks: HashSet<u32>,
    addresses: HashSet<u64>,
}

impl Names {
    /// Names by these symbols.
    pub fn new(symbols: Kallsyms) -> Self {
        Self {
            symbols,
            stacks: HashSet::new(),
            addresses: HashSet::new(),
        }
    }

    /// Events that name an address, if it has a name and has not been named yet.
    pub fn address(&mut self, address: u64, out: &mut Vec<Body>) {
        if address == 0 || !self.addresses.insert(address) {
            return;
        }
        // A return address at the very end of a function belongs to the call before it.
        if let Some(located) = self.symbols.locate(address.saturating_sub(1)) {
            out.push(Body::SymbolSeen(SymbolSeen {
                address,
                symbol: located.symbol.to_owned(),
                offset: located.offset + 1,
                module: located.module.to_owned(),
            }));
        }
    }

    /// Events for a stack that is new: its symbols first, then itself.
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

    /// Drops the frames of our own program and its trampoline: what counts begins at the pin function.
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
    fn the_symbol_is_that_of_the_call_before_the_return_address() {
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
