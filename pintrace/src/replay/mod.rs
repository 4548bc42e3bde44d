//! Goes back and forth in a recording.
//!
//! `moments` lists the moments of a recording, `checkpoint` keeps states of the model to begin from, `cursor` computes
//! the state at a moment, and `player` does this on a thread of its own for the view. The memory does not grow with the
//! length of the recording: each list has a limit.

mod checkpoint;
mod cursor;
mod kept;
mod moments;
mod player;
#[cfg(test)]
mod tests;

pub use player::{Ended, start};
