//! The programs' own debug messages: nothing at all unless built with the feature `bpf-log`, and
//! then only at the level that the loader sets.

/// Logs at debug level, in aya-log's format.
#[cfg(feature = "bpf-log")]
macro_rules! debug {
    ($ctx:expr, $($argument:tt)*) => {
        aya_log_ebpf::debug!(&aya_ebpf::programs::FExitContext::new($ctx), $($argument)*)
    };
}

/// Logs nothing.
#[cfg(not(feature = "bpf-log"))]
macro_rules! debug {
    ($ctx:expr, $($argument:tt)*) => {{
        let _ = $ctx;
    }};
}

pub(crate) use debug;
