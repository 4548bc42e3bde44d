//! Debug messages of the programs. Without the feature `bpf-log` the macro is empty; with the feature, the loader sets
//! the level.

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
