//! The programs that report events of pinned memory.

mod advice;
mod fault;
mod flush;
mod fork;
mod protect;
mod unmap;
