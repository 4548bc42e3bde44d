//! The programs that report events of pinned memory.

mod advice;
mod fault;
mod file_release;
mod flush;
mod fork;
mod pagemap_scan;
mod protect;
mod unmap;
