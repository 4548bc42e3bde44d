//! Checked references to map values.

use core::borrow::Borrow;

use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray};

/// A map value. The kernel keeps the memory of a value for as long as the program runs, also after the entry has been
/// removed. Other CPUs may change the value at any time.
pub struct MapRef<T>(*mut T);

impl<T> Clone for MapRef<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for MapRef<T> {}

impl<T> MapRef<T> {
    /// Returns the address, for the macros of this file and for values that are read word by word.
    #[inline(always)]
    pub fn as_ptr(self) -> *mut T {
        self.0
    }
}

impl<T> MapRef<T> {
    /// Replaces the whole value.
    #[inline(always)]
    pub fn write(self, value: T) {
        // SAFETY: a live, aligned map value of plain data.
        unsafe { *self.0 = value }
    }

    /// Returns the whole value, read exactly once.
    #[inline(always)]
    pub fn load(self) -> T {
        // SAFETY: a live, aligned map value of plain data.
        unsafe { self.0.read_volatile() }
    }

    /// Replaces the whole value by exactly one write.
    #[inline(always)]
    pub fn store(self, value: T) {
        // SAFETY: a live, aligned map value of plain data.
        unsafe { self.0.write_volatile(value) }
    }
}

impl<T: Copy> MapRef<T> {
    /// Returns a copy of the whole value.
    #[inline(always)]
    pub fn copy(self) -> T {
        // SAFETY: a live, aligned map value of plain data.
        unsafe { *self.0 }
    }
}

/// Gives a field of a map value as a word for atomic operations: `word!(account.acquired)`.
macro_rules! word {
    ($value:ident.$field:ident) => {{
        let value: $crate::map_ref::MapRef<_> = $value;
        // SAFETY: a field of a live, aligned map value.
        unsafe { $crate::atomic::Word::at(&raw mut (*value.as_ptr()).$field) }
    }};
}

/// Reads a field of a map value: `get!(account.stack)`.
macro_rules! get {
    ($value:ident.$field:ident $(.$inner:ident)?) => {{
        let value: $crate::map_ref::MapRef<_> = $value;
        // SAFETY: a field of a live, aligned map value of plain data.
        unsafe { (*value.as_ptr()).$field $(.$inner)? }
    }};
}

/// Writes a field of a map value: `set!(account.stack = -1)`.
macro_rules! set {
    ($value:ident.$field:ident = $new:expr) => {{
        let new = $new;
        let value: $crate::map_ref::MapRef<_> = $value;
        // SAFETY: a field of a live, aligned map value of plain data.
        unsafe { (*value.as_ptr()).$field = new };
    }};
}

pub(crate) use {get, set, word};

/// Look-up of a map value.
pub trait Lookup<K, T> {
    /// Returns the value under a key.
    fn at(&self, key: K) -> Option<MapRef<T>>;
}

impl<T> Lookup<u32, T> for Array<T> {
    #[inline(always)]
    fn at(&self, index: u32) -> Option<MapRef<T>> {
        self.get_ptr_mut(index).map(MapRef)
    }
}

impl<T> Lookup<u32, T> for PerCpuArray<T> {
    #[inline(always)]
    fn at(&self, index: u32) -> Option<MapRef<T>> {
        self.get_ptr_mut(index).map(MapRef)
    }
}

impl<K, Q: Borrow<K>, T> Lookup<Q, T> for HashMap<K, T> {
    #[inline(always)]
    fn at(&self, key: Q) -> Option<MapRef<T>> {
        self.get_ptr_mut(key).map(MapRef)
    }
}

impl<K, Q: Borrow<K>, T> Lookup<Q, T> for LruHashMap<K, T> {
    #[inline(always)]
    fn at(&self, key: Q) -> Option<MapRef<T>> {
        self.get_ptr_mut(key).map(MapRef)
    }
}

impl MapRef<u64> {
    /// Returns a value that is one word, for atomic operations.
    #[inline(always)]
    pub fn word(self) -> crate::atomic::Word {
        // SAFETY: a live, aligned map value.
        unsafe { crate::atomic::Word::at(self.0) }
    }
}
