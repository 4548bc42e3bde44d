//! Reads kernel memory by plain loads (`bpf_rdonly_cast`, 6.2) instead of a helper that copies.
//!
//! Unreadable memory reads as 0, so a 0 is ambiguous. [`crate::kernel`] reads again by the helper where the difference
//! matters. If the kernel has no `bpf_rdonly_cast`, every function here returns `None`, and the verifier drops the
//! code.

use pintrace_common::kfuncs::RDONLY_CAST;

use crate::facts::FACTS;

/// Kernel memory as an array of words.
pub struct Words(pub(crate) *const u64);

impl Words {
    /// Returns the words at an address.
    #[inline(always)]
    pub fn at(address: u64) -> Option<Self> {
        Self::at_pointer(address as *const u8)
    }

    /// Returns the words at a pointer of the program, for instance into the context.
    #[inline(always)]
    pub fn at_pointer(pointer: *const u8) -> Option<Self> {
        if FACTS.rdonly_cast_type() == 0 {
            return None;
        }
        Some(Self::readable(pointer))
    }

    /// Returns the words at a pointer, where the caller knows that the kernel has `bpf_rdonly_cast`.
    #[inline(always)]
    pub fn readable(pointer: *const u8) -> Self {
        // SAFETY: the verifier checks the call, and allows only reads through the result.
        let function: extern "C" fn(*const u8, u32) -> *const u64 =
            unsafe { core::mem::transmute(RDONLY_CAST.placeholder as usize) };
        Self(function(pointer, FACTS.rdonly_cast_type()))
    }

    /// Returns the word at an index.
    #[inline(always)]
    pub fn word<const INDEX: usize>(&self) -> u64 {
        // SAFETY: the verifier checks that the type of the memory has enough words.
        unsafe { self.0.add(INDEX).read_volatile() }
    }
}

/// Returns a u64.
#[inline(always)]
pub fn u64_at(address: u64) -> Option<u64> {
    Some(Words::at(address)?.word::<0>())
}

/// Returns a u32.
#[inline(always)]
pub fn u32_at(address: u64) -> Option<u32> {
    // SAFETY: half of a word that may be read.
    Some(unsafe { Words::at(address)?.0.cast::<u32>().read_volatile() })
}
