//! Extends aya by bpf(2) commands that aya lacks, BTF for the loader, and the embedded eBPF objects.

mod bpf_call;
#[cfg(feature = "bpf-log")]
pub mod bpf_log;
pub mod kfuncs;
pub mod loader_btf;
pub mod map_batch;
pub mod map_info;
pub mod mapped_flags;
pub mod objects;
pub mod own_objects;
mod pod;
pub mod prog_info;
pub mod refusal;
pub mod ring_fill;
pub mod statistics;
pub mod test_run;

#[cfg(test)]
mod tests;
