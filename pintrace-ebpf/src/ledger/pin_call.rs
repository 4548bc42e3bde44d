//! A pin call as the hooks hand it on.

use crate::kernel;

/// One successful call of a pin function.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct PinCall {
    /// Address of the pinned `mm_struct`; 0 for the running task's own.
    pub mm: u64,
    /// User address of the first page; for a memfd's folios its place in the file.
    pub address: u64,
    /// `gup_flags` as the caller gave them.
    pub flags: u64,
    /// Address of pages[] or folios[].
    pub array: u64,
    /// Entries that are valid.
    pub pages: u64,
    /// Return address in the caller.
    pub caller: u64,
    /// What it covers of a file in bytes, if `address` is a place in one: each page may be a folio. 0 otherwise.
    pub of_file: u64,
}

impl PinCall {
    /// The `mm_struct` that `address` is one of; 0 for a file's.
    #[inline(always)]
    pub fn mm(&self) -> u64 {
        match (self.of_file, self.mm) {
            (0, 0) => kernel::current_mm(),
            (0, mm) => mm,
            _ => 0,
        }
    }

    /// What it covers, in bytes.
    #[inline(always)]
    pub fn span(&self) -> u64 {
        if self.of_file == 0 {
            self.pages << 12
        } else {
            self.of_file
        }
    }
}
