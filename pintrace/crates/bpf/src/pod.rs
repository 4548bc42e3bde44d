//! Plain data that maps hold, as aya wants it marked.

/// Makes a type of its own around plain data that a map holds. To be used for types of `pintrace_common` alone: repr(C),
/// integers and byte arrays, without padding.
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
