//! Reading the kernel's memory in place, where it offers that (6.2): a load, and not a call of a helper that copies.
//!
//! What cannot be read reads as 0, so a 0 may mean either: [`crate::kernel`] asks again where that matters. Where memory
//! cannot be read in place, everything here is `None`, and the verifier drops it.

use pintrace_common::cast;

use crate::facts;

/// Memory as so many words.
pub struct Words(*const u64);

impl Words {
    /// What lies at an address.
    #[inline(always)]
    pub fn at(address: u64) -> Option<Self> {
        if facts::cast_type() == 0 {
            return None;
        }
        // SAFETY: the verifier checks the call; what comes back may be read and nothing else.
        let function: extern "C" fn(u64, u32) -> *const u64 =
            unsafe { core::mem::transmute(cast::PLACEHOLDER as usize) };
        Some(Self(function(address, facts::cast_type())))
    }

    /// One of them.
    #[inline(always)]
    pub fn word<const INDEX: usize>(&self) -> u64 {
        // SAFETY: the verifier checks that the struct which stands for the memory has that many.
        unsafe { self.0.add(INDEX).read_volatile() }
    }
}

/// A u64.
#[inline(always)]
pub fn u64_at(address: u64) -> Option<u64> {
    Some(Words::at(address)?.word::<0>())
}

/// A u32.
#[inline(always)]
pub fn u32_at(address: u64) -> Option<u32> {
    // SAFETY: half of a word that may be read.
    Some(unsafe { Words::at(address)?.0.cast::<u32>().read_volatile() })
}
