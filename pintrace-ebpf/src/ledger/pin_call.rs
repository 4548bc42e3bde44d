//! The arguments of a pin call, in one form for all hooks.

use crate::kernel;

/// One call of a pin function that has returned.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct PinCall {
    /// Address of the pinned `mm_struct`; 0 for the mm of the running task.
    pub mm: u64,
    /// User address of the first page; for the folios of a memfd the offset in the file.
    pub address: u64,
    /// `gup_flags` of the caller.
    pub flags: u64,
    /// Address of pages[] or folios[].
    pub array: u64,
    /// Number of valid entries in the array; 0 if the call failed.
    pub pages: u64,
    /// Return address in the caller.
    pub caller: u64,
    /// Number of bytes that the call covers if `address` is an offset in a file, where an entry may be a large folio;
    /// else 0.
    pub of_file: u64,
}

impl PinCall {
    /// Returns the `mm_struct` to which `address` belongs; 0 for an offset in a file.
    #[inline(always)]
    pub fn mm(&self) -> u64 {
        match (self.of_file, self.mm) {
            (0, 0) => kernel::current_mm(),
            (0, mm) => mm,
            _ => 0,
        }
    }

    /// Returns the number of bytes that the call covers.
    #[inline(always)]
    pub fn span(&self) -> u64 {
        if self.of_file == 0 {
            self.pages << 12
        } else {
            self.of_file
        }
    }
}
