//! Symbols of stacks and addresses, emitted once per stream.

use hashbrown::HashSet;

use pintrace_events::units::StackId;
use pintrace_events::{Body, StackSeen, SymbolSeen};
use pintrace_kernel::kallsyms::Kallsyms;
use pintrace_probes::program_code::ProgramCode;
use pintrace_probes::table::HOOKS;

/// The kernel's symbols, and the stacks and addresses that events have named.
pub struct Names {
    symbols: Kallsyms,
    /// The code of the programs that take stacks, by address.
    programs: Vec<ProgramCode>,
    stacks: HashSet<u32>,
    addresses: HashSet<u64>,
}

/// Bytes from the start of a function to the address after its call of ftrace, which a trampoline that is called leaves on
/// the stack.
const AFTER_FTRACE_CALL: u64 = 5;

impl Names {
    /// Resolves addresses by `symbols`. `programs` is the code of the programs that take stacks, by address. No address
    /// has been named.
    pub fn new(symbols: Kallsyms, programs: Vec<ProgramCode>) -> Self {
        Self {
            symbols,
            programs,
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
            let frames = self.begin_at_hooked_function(frames(id));
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

    /// Replaces the frames of the BPF program and of its trampoline, so that the stack begins at the hooked function.
    ///
    /// The hooked function calls the trampoline, or, on newer kernels, jumps to the trampoline (`bpf_trampoline_use_jmp`,
    /// include/linux/bpf.h). After a jump, the stack has no return address into the hooked function, so the frame is
    /// inserted here.
    fn begin_at_hooked_function(&self, frames: Vec<u64>) -> Vec<u64> {
        let Some(function) = frames.first().and_then(|first| self.hooked_by(*first)) else {
            return self.trim_to_hooked_function(frames);
        };
        let programs = frames
            .iter()
            .take_while(|frame| self.hooked_by(**frame).is_some());
        // The frame after those of the program is in the trampoline, which has called the program.
        let rest = frames.get(programs.count() + 1..).unwrap_or_default();
        let is_hooked = |address: &u64| {
            let located = self.symbols.locate(address.saturating_sub(1));
            located.is_some_and(|at| at.symbol == function)
        };
        let start = match self.symbols.address_of(function) {
            Some(start) if !rest.first().is_some_and(is_hooked) => Some(start + AFTER_FTRACE_CALL),
            _ => None,
        };
        start.into_iter().chain(rest.iter().copied()).collect()
    }

    /// Returns the kernel function to which the program with code at `address` is attached.
    fn hooked_by(&self, address: u64) -> Option<&'static str> {
        let behind = self
            .programs
            .partition_point(|code| code.addresses.start <= address);
        let code = self.programs.get(behind.checked_sub(1)?)?;
        code.addresses.contains(&address).then_some(code.function)
    }

    /// Drops the frames before the first hooked function, for programs without known code and for programs that do not
    /// run in a trampoline.
    fn trim_to_hooked_function(&self, frames: Vec<u64>) -> Vec<u64> {
        let hooked = |address: &u64| {
            let located = self.symbols.locate(*address);
            // The other hooks take no stack, and their functions call the pin functions.
            let mut takes_stacks = HOOKS
                .iter()
                .filter(|hook| hook.counts_pages() || hook.is_for_findings());
            located.is_some_and(|at| takes_stacks.any(|hook| hook.function == at.symbol))
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

    /// The address of a program on `pin_user_pages_fast`. Its trampoline is at [`TRAMPOLINE`].
    const PROGRAM: u64 = 0xffff_ffff_c0de_0100;
    const TRAMPOLINE: u64 = 0xffff_ffff_c0df_0000;
    const PIN_FUNCTION: u64 = 0xffff_ffff_8100_0005;
    const CALLER: u64 = 0xffff_ffff_8100_0410;

    fn names() -> Names {
        Names::new(
            Kallsyms::parse(TEXT),
            vec![ProgramCode {
                addresses: PROGRAM..PROGRAM + 0x100,
                function: "pin_user_pages_fast",
            }],
        )
    }

    /// The frames of a stack as it is emitted.
    fn emitted(frames: &[u64]) -> Vec<u64> {
        let mut out = Vec::new();
        names().stack(3, |_| frames.to_vec(), &mut out);
        match out.pop() {
            Some(Body::StackSeen(stack)) => stack.frames,
            other => panic!("no stack: {other:?}"),
        }
    }

    #[test]
    fn the_frames_of_the_program_and_of_the_trampoline_are_left_out() {
        let called = [PROGRAM + 4, PROGRAM + 0x80, TRAMPOLINE, PIN_FUNCTION, CALLER];
        assert_eq!(emitted(&called), [PIN_FUNCTION, CALLER]);
    }

    #[test]
    fn a_pin_function_without_a_frame_is_inserted() {
        assert_eq!(
            emitted(&[PROGRAM + 4, TRAMPOLINE, CALLER]),
            [PIN_FUNCTION, CALLER]
        );
        assert_eq!(emitted(&[PROGRAM + 4]), [PIN_FUNCTION]);
    }

    /// Control: without the code of the program, no function is inserted.
    #[test]
    fn a_stack_of_unknown_code_is_kept() {
        let frames = [0xffff_ffff_c0de_0000, TRAMPOLINE, CALLER];
        assert_eq!(emitted(&frames), frames);
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
