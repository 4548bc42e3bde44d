//! Reads facts about the kernel: types (BTF), symbols, traceable functions, structure layouts, settings and the files
//! below /proc. This crate loads and runs no eBPF program.

pub mod btf;
pub mod capture;
pub mod descriptors;
pub mod environment;
pub mod facts;
pub mod folio_layout;
pub mod ftrace;
pub mod iomem;
pub mod kallsyms;
pub mod layout;
pub mod memlock;
pub mod mm_event_layout;
pub mod own_page;
pub mod own_process;
pub mod page_size;
pub mod pagemap;
pub mod pid_namespace;
pub mod preemption;
pub mod private_files;
pub mod process;
pub mod scan_layout;
pub mod table_layout;
pub mod vma;
pub mod vmstat;
