//! The number and arguments of the system call that the running task is in.

use aya_ebpf::helpers::generated;

use crate::{compat::pt_regs, facts::MM_EVENT_FACTS, kernel};

/// The registers of a system call, as user space made the call.
#[derive(Clone, Copy)]
pub struct SyscallArgs {
    /// Null in a kernel thread. No `Option`, whose absent value the compiler may copy: the verifier refuses to read a
    /// register that was never written.
    registers: *const u8,
}

/// `write` of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
pub const WRITE: i64 = 1;
/// `io_uring_register` of x86-64.
pub const IO_URING_REGISTER: i64 = 427;
/// `ioctl` of x86-64.
pub const IOCTL: i64 = 16;
/// Words of a structure that count: `vfio_iommu_type1_dma_map` has 4.
const ARGUMENT_WORDS: usize = 4;
/// `mremap` of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
pub const MREMAP: i64 = 25;

impl SyscallArgs {
    /// Returns the system call of the running task.
    #[inline(always)]
    pub fn current() -> Self {
        Self {
            registers: pt_regs::registers().unwrap_or_default(),
        }
    }

    /// Returns the system call of the task whose registers have this address.
    #[inline(always)]
    pub fn at(registers: u64) -> Self {
        Self {
            registers: registers as *const u8,
        }
    }

    /// Returns the address of the registers; 0 for a kernel thread.
    #[inline(always)]
    pub fn address(self) -> u64 {
        self.registers as u64
    }

    /// Returns the number of the system call among the calls of x86-64; -1 for none, and for a call of 32-bit x86, whose
    /// numbers mean other calls. The numbers of x32 have a bit that no other number has (`__X32_SYSCALL_BIT`).
    #[inline(always)]
    pub fn number(self) -> i64 {
        if Self::is_32_bit() {
            return -1;
        }
        self.register::<i64>(MM_EVENT_FACTS.regs_syscall()).unwrap_or(-1)
    }

    /// Returns the first argument.
    #[inline(always)]
    pub fn first(self) -> u64 {
        self.register(MM_EVENT_FACTS.regs_first()).unwrap_or(0)
    }

    /// Returns the second argument.
    #[inline(always)]
    pub fn second(self) -> u64 {
        self.register(MM_EVENT_FACTS.regs_second()).unwrap_or(0)
    }

    /// Returns the third argument.
    #[inline(always)]
    pub fn third(self) -> u64 {
        self.register(MM_EVENT_FACTS.regs_third()).unwrap_or(0)
    }

    /// Returns the fourth argument.
    #[inline(always)]
    pub fn fourth(self) -> u64 {
        self.register(MM_EVENT_FACTS.regs_fourth()).unwrap_or(0)
    }

    /// Returns true if the call is one of 32-bit x86, with the numbers and registers of 32-bit x86: made by 32-bit code, or
    /// by 64-bit code with `int 0x80` (`in_ia32_syscall`, arch/x86/include/asm/compat.h).
    #[inline(always)]
    fn is_32_bit() -> bool {
        /// `TS_COMPAT` (arch/x86/include/asm/thread_info.h).
        const COMPAT: u32 = 2;
        let task = kernel::current_task();
        let status = kernel::u32_at(task + MM_EVENT_FACTS.thread_status());
        status & COMPAT != 0
    }

    /// Returns true if this mremap(old, old_bytes, new_bytes, ..) moves the page at an address. The kernel unmaps the
    /// pages beyond `new_bytes`, and the pages at the destination, like any other pages.
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

    /// Returns the range whose pages this mremap(old, old_bytes, new_bytes, flags, ..) moves without unmapping the
    /// range (`MREMAP_DONTUNMAP`); `None` for any other call.
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

    /// Returns a number that is equal for two moments of the same call of a thread: a hash of the call's number and
    /// arguments; 0 for none.
    #[inline(always)]
    pub fn identity(self) -> u64 {
        let Some(number) = self.register::<u64>(MM_EVENT_FACTS.regs_syscall()) else {
            return 0;
        };
        let first = self.register::<u64>(MM_EVENT_FACTS.regs_first()).unwrap_or(0);
        let second = self.register::<u64>(MM_EVENT_FACTS.regs_second()).unwrap_or(0);
        let third = self.register::<u64>(MM_EVENT_FACTS.regs_third()).unwrap_or(0);
        let all = number ^ first.rotate_left(16) ^ second.rotate_left(32) ^ third.rotate_left(48);
        all | 1 << 63
    }

    /// Returns a hash of the first bytes of the structure that an ioctl or a write passes by address; 0 for other calls. Two
    /// calls with the same address may pass different structures.
    #[inline(always)]
    pub fn argument(self) -> u64 {
        let address = match self.number() {
            WRITE => self.second(),
            IOCTL => self.register(MM_EVENT_FACTS.regs_third()).unwrap_or(0),
            _ => return 0,
        };
        let mut words = [0u64; ARGUMENT_WORDS];
        // SAFETY: a valid destination. The helper checks the address, and leaves zeros if it cannot read.
        unsafe {
            generated::bpf_probe_read_user(
                (&raw mut words).cast(),
                size_of::<[u64; ARGUMENT_WORDS]>() as u32,
                address as *const _,
            )
        };
        let mut hash = 0u64;
        let mut index = 0;
        while index < ARGUMENT_WORDS {
            hash = (hash ^ words[index])
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(31);
            index += 1;
        }
        hash
    }

    #[inline(always)]
    fn register<T>(self, offset: u64) -> Option<T> {
        if self.registers.is_null() {
            return None;
        }
        kernel::read_at(self.registers.wrapping_add(offset as usize))
    }
}
