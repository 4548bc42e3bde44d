//! A pin call as the hooks hand it on.

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
    /// 1 if `address` is a place in a file.
    pub in_file: u64,
}
