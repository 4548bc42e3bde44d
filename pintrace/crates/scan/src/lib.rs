//! The scan: reads all struct pages, and finds the pages that are pinned now, of whatever age, and their processes.
//!
//! The BPF programs that read the struct pages are attached to no hook ([`object`]). The kernel's tables of open files
//! name the holder of most pins ([`tables`], [`claims`]). The other pinned folios are joined with the page tables of the
//! processes that ever pinned ([`join`]). A scan does not know the time, thread or caller of a pin.

mod attribution;
pub mod claims;
pub mod exclusivity;
pub mod explain;
pub mod join;
pub mod kernel_memory;
pub mod kind;
pub mod object;
pub mod open_files;
pub mod page_tables;
mod pids;
pub mod pinned_folios;
pub mod private_copies;
mod releases;
pub mod rmap;
mod ruled_out;
pub mod scan_result;
pub mod scanner;
pub mod tables;
pub mod tasks;
mod vma_list;
pub mod vmemmap;
