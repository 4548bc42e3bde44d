//! Tests on real kernels. They run in guests, as root, one at a time.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod attribution;
mod balance;
mod book_commands;
mod book_install;
mod bpftrace;
mod budget;
mod check;
mod compare_bpftrace;
mod counts_fio;
mod counts_pinload;
mod delayed_reads;
mod descriptors;
mod device_pins;
mod doctor_facts;
mod doctor_text;
mod finding_hooks;
mod findings;
mod follow;
mod harness;
mod holders;
mod hostile;
mod hugetlb;
mod not_in_vmstat;
mod on_terminal;
mod one_folio;
mod own_cost;
mod pid_namespace;
mod pin_calls;
mod pin_storm;
mod rdma;
mod reconcile;
mod recording;
mod refused;
mod robust_doctor;
mod robust_endings;
mod robust_full_disk;
mod robust_kit;
mod robust_loss;
mod robust_panic;
mod robust_privileges;
mod robust_record;
mod robust_sandbox;
mod robust_serve;
mod scan;
mod scan_explain;
mod scan_far;
mod scan_implausible;
mod second_tracer;
mod soak;
#[path = "../support/sums.rs"]
mod sums;
mod systemd_unit;
mod test_pins;
mod tick_sums;
mod top_views;
mod vfio;
