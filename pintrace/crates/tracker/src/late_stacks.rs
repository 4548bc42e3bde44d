//! Stacks that the kernel stores after the account or extent is opened. On some kernels a separate program takes the
//! stack at the end of the pin call (`stacks.rs` of the eBPF crate). If the kernel skips that program, no stack comes.

use pintrace_common::ledger::STACK_LATER;

use pintrace_events::units::Nanos;

/// Longest wait for a stack: the pinning thread may be off the CPU for that long.
const PATIENCE_NS: u64 = 2_000_000_000;
/// Takes the place of a stack id: the stack has not come, and has been counted as lost.
const NEVER: i64 = -1;

/// Counts the stacks that never come.
#[derive(Debug, Default)]
pub(super) struct LateStacks {
    never: u64,
}

impl LateStacks {
    /// Returns the number of stacks that never came.
    pub(super) fn never(&self) -> u64 {
        self.never
    }

    /// Returns a stack that has come since the last call. `emitted` is the stack id as last emitted, `stack` the id in
    /// the map now, and `age` the age of the account or extent. If this is the `last` sample, a stack that has not come
    /// is lost.
    pub(super) fn update(&mut self, emitted: &mut i64, stack: i64, age: Nanos, last: bool) -> Option<i64> {
        if *emitted != STACK_LATER {
            return None;
        }
        if stack != STACK_LATER {
            *emitted = stack;
            return Some(stack);
        }
        if last || age.0 > PATIENCE_NS {
            self.never += 1;
            *emitted = NEVER;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_that_comes_is_emitted_once() {
        let (mut late, mut emitted) = (LateStacks::default(), STACK_LATER);
        assert_eq!(late.update(&mut emitted, STACK_LATER, Nanos(5), false), None);
        assert_eq!(late.update(&mut emitted, 7, Nanos(9), false), Some(7));
        assert_eq!(late.update(&mut emitted, 7, Nanos(9), true), None);
        assert_eq!((emitted, late.never()), (7, 0));
    }

    #[test]
    fn a_stack_that_never_comes_is_counted_once() {
        let (mut late, mut emitted) = (LateStacks::default(), STACK_LATER);
        assert_eq!(
            late.update(&mut emitted, STACK_LATER, Nanos(PATIENCE_NS), false),
            None
        );
        assert_eq!(late.never(), 0);
        assert_eq!(late.update(&mut emitted, STACK_LATER, Nanos(0), true), None);
        assert_eq!(
            late.update(&mut emitted, STACK_LATER, Nanos(u64::MAX), true),
            None
        );
        assert_eq!(late.never(), 1);
    }

    #[test]
    fn a_stack_that_was_emitted_at_once_is_not_emitted_again() {
        let (mut late, mut emitted) = (LateStacks::default(), 3);
        assert_eq!(late.update(&mut emitted, 3, Nanos(u64::MAX), true), None);
        assert_eq!((emitted, late.never()), (3, 0));
    }
}
