//! The state witness: which pages are pinned now, whoever pinned them and however long ago, and whose they are.
//!
//! It reads every struct page by a program that is attached to nothing ([`object`]), and joins what it finds with
//! the page tables of the processes that ever pinned ([`pagemap`], [`join`]). It knows nothing of who pinned, when,
//! or by which call.

pub mod adopt;
#[cfg(feature = "live")]
pub mod anchor;
pub mod descriptors;
pub mod found;
pub mod join;
pub mod kind;
pub mod layout;
pub mod look;
#[cfg(feature = "live")]
pub mod mms;
#[cfg(feature = "live")]
pub mod object;
pub mod pagemap;
pub mod ram;
#[cfg(feature = "live")]
pub mod rmap;
#[cfg(feature = "live")]
pub mod scanner;
pub mod survey;
