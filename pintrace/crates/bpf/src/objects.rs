//! The eBPF objects, which build.rs builds and this crate embeds.

/// The ledger and the finding hooks, for kernels with `bpf_loop` (5.17).
pub static LEDGER: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pintrace"));

/// The same programs for kernels without `bpf_loop`.
pub static LEDGER_WITHOUT_BPF_LOOP: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pintrace-without-bpf-loop"));

/// The scan, for all kernels.
pub static SCAN: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pintrace-scan"));
