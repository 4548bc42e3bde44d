//! Stacks that come later than what they belong to: on some kernels a program of its own takes them, at
//! the end of the same pin call (`stacks.rs` of the eBPF crate). If the kernel skips it, none comes.

use pintrace_common::ledger::STACK_LATER;

use pintrace_events::units::Nanos;

/// How long one is waited for; its thread may be off the CPU meanwhile.
const PATIENCE_NS: u64 = 2_000_000_000;
/// In place of a stack's id: it has not come, and that has been counted.
const NEVER: i64 = -1;

/// Counts those that never come.
#[derive(Debug, Default)]
pub(super) struct LateStacks {
    never: u64,
}

impl LateStacks {
    /// How many never came.
    pub(super) fn never(&self) -> u64 {
        self.never
    }

    /// Gives a stack that has come since: `told` is what has been told so far, `stack` what the table says
    /// now. If it is the `last` look, nothing is waited for.
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
    fn a_stack_that_was_emitted_at_once_is_no_concern() {
        let (mut late, mut emitted) = (LateStacks::default(), 3);
        assert_eq!(late.update(&mut emitted, 3, Nanos(u64::MAX), true), None);
        assert_eq!((emitted, late.never()), (3, 0));
    }
}
