//! Errors of reading a recording.

use std::io;

use pintrace_text::counted;

use crate::format::VERSION;

/// Why a recording cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input is no recording.
    #[error("not a pintrace recording: give a file that `pintrace record -o FILE` wrote")]
    NotARecording,
    /// The input has no frame.
    #[error("empty: the recording ended before anything was recorded")]
    Empty,
    /// An older version of pintrace wrote the recording.
    #[error(
        "recording format {0} is not supported by this version, which reads format {VERSION}: record it again"
    )]
    TooOld(u16),
    /// A newer version of pintrace wrote the recording.
    #[error(
        "recording format {0} is not supported by this version, which reads format {VERSION}: use a newer pintrace"
    )]
    TooNew(u16),
    /// The content is not the content that was written.
    #[error(
        "damaged in frame {frame} at byte {offset} ({what}), after {} that can be read; \
         copy the file again from where it was recorded",
        counted(*events, "event")
    )]
    Damaged {
        /// The number of the frame, from 0.
        frame: u64,
        /// The offset of the frame.
        offset: u64,
        /// The part that is wrong.
        what: &'static str,
        /// Number of events read before.
        events: u64,
    },
    /// The input failed.
    #[error("cannot be read further, after {}: {source}", counted(*events, "event"))]
    Input {
        /// Number of events read before.
        events: u64,
        /// The cause.
        source: io::Error,
    },
}
