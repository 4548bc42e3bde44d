//! The programs that report what happens to pinned memory.

mod advice;
mod fault;
mod flush;
mod fork;
mod protect;
mod unmap;
