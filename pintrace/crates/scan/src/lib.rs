//! The scan: the pages that are pinned now, and the processes that hold them. The age of a pin does not matter.
//!
//! It reads every struct page by a program that is attached to nothing ([`object`]), and joins what it finds with
//! the page tables of the processes that ever pinned ([`join`]). It knows nothing of who pinned, when,
//! or by which call.

pub mod has_pinned;
pub mod join;
pub mod kind;
pub mod object;
pub mod page_tables;
pub mod pinned_folios;
pub mod rmap;
pub mod scan_result;
pub mod scanner;
pub mod unmapped;
pub mod vmemmap;
