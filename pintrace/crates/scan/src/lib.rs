//! The state witness: which pages are pinned now, whoever pinned them and however long ago, and whose they are.
//!
//! It reads every struct page by a program that is attached to nothing ([`object`]), and joins what it finds with
//! the page tables of the processes that ever pinned ([`join`]). It knows nothing of who pinned, when,
//! or by which call.

pub mod adopt;
pub mod anchor;
pub mod found;
pub mod join;
pub mod kind;
pub mod look;
pub mod mms;
pub mod object;
pub mod rmap;
pub mod scanner;
pub mod survey;
