//! Marks types of map values as plain data for aya.

/// Defines a wrapper that implements `aya::Pod` around a type of map values. Use this macro only for types of
/// `pintrace_common` that are repr(C), consist of integers and byte arrays, and have no padding.
#[macro_export]
macro_rules! pod {
    ($($name:ident($inner:ty);)+) => {
        $(
            #[derive(Clone, Copy)]
            #[repr(transparent)]
            struct $name($inner);
            // SAFETY: repr(C) of integers and byte arrays without padding; any bit pattern is valid.
            unsafe impl aya::Pod for $name {}
        )+
    };
}
