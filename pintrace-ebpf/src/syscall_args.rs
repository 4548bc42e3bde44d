//! The number and arguments of the system call that the running task is in.

use crate::{compat::pt_regs, facts::MM_EVENT_FACTS, kernel};

/// The call, as user space made it.
#[derive(Clone, Copy)]
pub struct SyscallArgs {
    registers: Option<*const u8>,
}

/// `mremap` of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
pub const MREMAP: i64 = 25;

impl SyscallArgs {
    /// The running task's.
    #[inline(always)]
    pub fn current() -> Self {
        Self {
            registers: pt_regs::registers(),
        }
    }

    /// Its number; -1 for none.
    #[inline(always)]
    pub fn number(self) -> i64 {
        self.register::<i64>(MM_EVENT_FACTS.regs_call()).unwrap_or(-1)
    }

    /// Whether an address is one of those whose pages this mremap(old, old_bytes, new_bytes, ..) takes elsewhere: what it
    /// cuts off, and what was where it takes them, is unmapped like any other.
    #[inline(always)]
    pub fn moves(self, address: u64) -> bool {
        let old = self.register::<u64>(MM_EVENT_FACTS.regs_first()).unwrap_or(0);
        let old_bytes = self.register::<u64>(MM_EVENT_FACTS.regs_second()).unwrap_or(0);
        let new_bytes = self.register::<u64>(MM_EVENT_FACTS.regs_third()).unwrap_or(0);
        let moved = if new_bytes < old_bytes {
            new_bytes
        } else {
            old_bytes
        };
        address >= old && address - old < (moved + 4095) & !4095
    }

    /// The addresses whose pages this mremap(old, old_bytes, new_bytes, flags, ..) takes elsewhere while their mapping stays
    /// (`MREMAP_DONTUNMAP`); `None` for any other call.
    #[inline(always)]
    pub fn emptied(self) -> Option<(u64, u64)> {
        const DONTUNMAP: u64 = 4;
        if self.number() != MREMAP || self.register::<u64>(MM_EVENT_FACTS.regs_fourth())? & DONTUNMAP == 0 {
            return None;
        }
        let old = self.register::<u64>(MM_EVENT_FACTS.regs_first())?;
        let bytes = self.register::<u64>(MM_EVENT_FACTS.regs_second())?;
        Some((old, old + ((bytes + 4095) & !4095)))
    }

    /// A number by which two moments are told to be in the same call, if the thread is the same: what was asked for. 0 for none.
    #[inline(always)]
    pub fn identity(self) -> u64 {
        let Some(number) = self.register::<u64>(MM_EVENT_FACTS.regs_call()) else {
            return 0;
        };
        let first = self.register::<u64>(MM_EVENT_FACTS.regs_first()).unwrap_or(0);
        let second = self.register::<u64>(MM_EVENT_FACTS.regs_second()).unwrap_or(0);
        let backup2 = self.register::<u64>(MM_EVENT_FACTS.regs_third()).unwrap_or(0);
        let all = number ^ first.rotate_left(16) ^ second.rotate_left(32) ^ backup2.rotate_left(48);
        all | 1 << 63
    }

    #[inline(always)]
    fn register<T>(self, offset: u64) -> Option<T> {
        kernel::read_at(self.registers?.wrapping_add(offset as usize))
    }
}
