//! Kernel facts as one read-only global of an object. User space sets the global before the programs load.

/// A global that the loader fills. Each read is volatile, so that the compiler keeps the read. The verifier sees
/// constants, because the map behind the global is frozen before the programs load.
#[repr(transparent)]
pub struct Injected<T>(pub(crate) T);

/// Defines a struct of kernel facts, each a u32, with a zero value for the global and a reader for each fact.
macro_rules! kernel_facts {
    ($(#[$doc:meta])* $name:ident, read as $read:ident { $($(#[$fact_doc:meta])* $fact:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(C)]
        pub struct $name {
            $($(#[$fact_doc])* pub $fact: u32,)+
        }

        impl $crate::Injected<$name> {
            /// The value before user space sets the facts.
            pub const ZERO: Self = Self($name { $($fact: 0,)+ });

            $(
                $(#[$fact_doc])*
                #[inline(always)]
                pub fn $fact(&self) -> $read {
                    // SAFETY: a field of a live reference. Programs never write the field.
                    let value = unsafe { core::ptr::read_volatile(&raw const self.0.$fact) };
                    $read::from(value)
                }
            )+
        }
    };
}
