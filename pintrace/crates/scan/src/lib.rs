//! The scan: reads all struct pages, and finds the pages that are pinned now, of whatever age, and their processes.
//!
//! The BPF programs that read the struct pages are attached to no hook ([`object`]). The pinned folios are joined with
//! the page tables of the processes that ever pinned ([`join`]). A scan does not know the time, thread or caller of a
//! pin.

mod attribution;
pub mod has_pinned;
pub mod join;
pub mod kind;
pub mod object;
mod open_files;
pub mod page_tables;
pub mod pinned_folios;
pub mod rmap;
pub mod scan_result;
pub mod scanner;
pub mod unmapped;
pub mod vmemmap;
