//! Registration of io_uring buffers by a system call of 32-bit x86 (`int 0x80`), whose arguments are in other registers
//! than those of a 64-bit call.

use std::arch::asm;
use std::num::NonZeroUsize;
use std::os::fd::RawFd;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc::{self, iovec};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use crate::failure::{Explain, Failure, Result};
use crate::memory::PAGE;

const NO_INT80: &str = "use a kernel with CONFIG_IA32_EMULATION=y, booted without ia32_emulation=0";
/// Numbers of calls of 32-bit x86 (arch/x86/entry/syscalls/syscall_32.tbl).
const GETPID: u32 = 20;
const IO_URING_REGISTER: u32 = 427;
/// `IORING_REGISTER_BUFFERS` (include/uapi/linux/io_uring.h).
const REGISTER_BUFFERS: u32 = 0;

/// A page whose address has 32 bits.
struct LowPage(NonNull<libc::c_void>);

impl LowPage {
    fn new() -> Result<Self> {
        let page = NonZeroUsize::new(PAGE).unwrap_or(NonZeroUsize::MIN);
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_32BIT;
        // SAFETY: a new mapping at an address that the kernel chooses.
        unsafe { mmap_anonymous(None, page, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, flags) }
            .map(Self)
            .failing("cannot map a page below 4 GiB", "raise ulimit -v")
    }
}

impl Drop for LowPage {
    fn drop(&mut self) {
        // SAFETY: nothing refers to the page any more.
        let _ = unsafe { munmap(self.0, PAGE) };
    }
}

/// Registers one buffer with `ring`. The register of the first argument of a 64-bit call holds `decoy`, another open
/// descriptor.
///
/// # Safety
///
/// The memory of the buffer must stay valid while it is registered.
pub(super) unsafe fn register(ring: RawFd, decoy: RawFd, buffer: iovec) -> Result<()> {
    probe()?;
    let page = LowPage::new()?;
    let vector = page.0.cast::<iovec>();
    // SAFETY: the page is mapped, writable and aligned.
    unsafe { vector.write(buffer) };
    let address = u32::try_from(page.0.as_ptr().addr()).map_err(|_| {
        Failure::failed(
            "MAP_32BIT gave an address above 4 GiB",
            "report the kernel's release",
        )
    })?;
    // SAFETY: the arguments are those of io_uring_register(2), and the vector outlives the call.
    let result = unsafe {
        int80(
            IO_URING_REGISTER,
            [ring.cast_unsigned(), REGISTER_BUFFERS, address, 1],
            decoy,
        )
    };
    if result < 0 {
        return Err(Errno::from_raw(-result))
            .failing("cannot register a buffer by int 0x80", "raise ulimit -l");
    }
    Ok(())
}

/// Fails if the kernel does not offer `int 0x80`. A child tries, because the kernel kills a process that tries in vain.
fn probe() -> Result<()> {
    // SAFETY: the child calls only `int80` and `_exit`.
    match unsafe { fork() }.failing("cannot fork", "raise ulimit -u")? {
        ForkResult::Child => {
            // SAFETY: getpid has no arguments.
            let pid = unsafe { int80(GETPID, [0; 4], 0) };
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(pid <= 0)) }
        }
        ForkResult::Parent { child } => match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, 0)) => Ok(()),
            ended => Err(Failure::unavailable(
                format!("the kernel does not offer int 0x80 ({ended:?})"),
                NO_INT80,
            )),
        },
    }
}

/// Makes a system call of 32-bit x86. `decoy` is in the register that holds the first argument of a 64-bit call.
///
/// # Safety
///
/// The arguments must be valid for the call.
unsafe fn int80(number: u32, arguments: [u32; 4], decoy: RawFd) -> i32 {
    let [first, second, third, fourth] = arguments;
    let result: i32;
    // SAFETY: the caller guarantees the arguments. LLVM reserves rbx, so rbx is exchanged around the call. `int 0x80` clears
    // r8 to r11 on older kernels.
    unsafe {
        asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) u64::from(first) => _,
            inout("eax") number => result,
            in("ecx") second,
            in("edx") third,
            in("esi") fourth,
            in("edi") decoy,
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r11") _,
        );
    }
    result
}
