//! The parameters of io_uring_setup(2), as linux/io_uring.h has them.

use crate::memory::PAGE;

/// IORING_SETUP_NO_MMAP.
const NO_MMAP: u32 = 1 << 14;
/// Bytes of an entry of the submission queue, of the completion queue, and of the array of indices.
const ENTRY: [u64; 3] = [64, 16, 4];

/// `struct io_sqring_offsets`.
#[repr(C)]
#[derive(Debug, Default)]
struct SubmissionOffsets {
    before_array: [u32; 6],
    array: u32,
    reserved: u32,
    user_address: u64,
}

/// `struct io_cqring_offsets`.
#[repr(C)]
#[derive(Debug, Default)]
struct CompletionOffsets {
    before_entries: [u32; 5],
    entries: u32,
    flags: u32,
    reserved: u32,
    user_address: u64,
}

/// `struct io_uring_params`.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct RingParameters {
    submission_entries: u32,
    completion_entries: u32,
    flags: u32,
    before_offsets: [u32; 7],
    submission: SubmissionOffsets,
    completion: CompletionOffsets,
}

const _: () = assert!(size_of::<RingParameters>() == 120);

impl RingParameters {
    /// Returns the parameters of a ring in user memory: the queues begin at `queues`, and the entries of the submission
    /// queue at `entries`.
    pub(super) fn in_user_memory(queues: usize, entries: usize) -> Self {
        let mut parameters = Self {
            flags: NO_MMAP,
            ..Self::default()
        };
        parameters.completion.user_address = queues as u64;
        parameters.submission.user_address = entries as u64;
        parameters
    }

    /// Returns the pages of the queues and of the entries, once the kernel has written the parameters.
    pub(super) fn pages(&self) -> u64 {
        let [entry, completion, index] = ENTRY;
        let (entries, completions) = (
            u64::from(self.submission_entries),
            u64::from(self.completion_entries),
        );
        let array_end = u64::from(self.submission.array) + entries * index;
        let completions_end = u64::from(self.completion.entries) + completions * completion;
        let page = PAGE as u64;
        array_end.max(completions_end).div_ceil(page) + (entries * entry).div_ceil(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_of_512_entries_has_the_pages_of_its_queues_and_entries() {
        let mut parameters = RingParameters {
            submission_entries: 512,
            completion_entries: 1024,
            ..RingParameters::default()
        };
        parameters.completion.entries = 64;
        parameters.submission.array = 64 + 1024 * 16;
        // 18,496 bytes of queues and 32,768 bytes of entries.
        assert_eq!(parameters.pages(), 5 + 8);
    }
}
