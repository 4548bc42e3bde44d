//! Where the stream comes from: the running kernel. (A file comes through [`crate::record`].)
//!
//! [`decode`] turns ring-buffer bytes into records, [`ledger`] reads the kernel-side tables,
//! [`books`] the kernel's own counters, [`truth`] holds the two against each other; `skipped` counts calls that
//! the kernel kept from the hooks.

pub mod books;
#[cfg(feature = "live")]
mod bpf_call;
#[cfg(feature = "bpf-log")]
mod bpf_log;
pub mod decode;
#[cfg(feature = "live")]
pub mod ledger;
#[cfg(feature = "live")]
pub mod live;
#[cfg(feature = "live")]
pub mod mender;
#[cfg(feature = "live")]
pub mod own_page;
#[cfg(feature = "live")]
pub(crate) mod pod;
#[cfg(feature = "live")]
mod prog_info;
#[cfg(feature = "live")]
mod skipped;
#[cfg(feature = "live")]
pub mod test_run;
pub mod truth;
#[cfg(feature = "live")]
pub mod watch;
