//! Typed quantities and ids, so that the compiler rejects a pid in place of an account id.

use serde::{Deserialize, Serialize};

/// Nanoseconds of the monotonic clock, as `bpf_ktime_get_ns` gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// Returns the time passed since `earlier`, or zero if `earlier` is later than `self`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// Returns the time in seconds, for rates.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate needs no more than 52 bits of nanoseconds"
    )]
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);
    };
}

id! {
    /// A process, by its thread group id.
    Pid
}
id! {
    /// A thread.
    Tid
}
id! {
    /// An account of the kernel-side ledger; unique within one stream.
    AccountId
}
id! {
    /// A long-term extent. The ledger reuses the id after [`crate::Body::ExtentClosed`].
    ExtentId
}
id! {
    /// A kernel stack; unique within one stream.
    StackId
}
