//! Lets the programs read kernel memory in place, on kernels with `bpf_rdonly_cast` (kernel/bpf/helpers.c, 6.2).

use pintrace_common::rdonly_cast;

use pintrace_kernel::btf::KernelTypes;

/// The BTF ids for `bpf_rdonly_cast`.
#[derive(Clone, Copy, Debug)]
pub struct RdonlyCast {
    /// BTF id of `bpf_rdonly_cast`.
    function: u32,
    /// BTF id of the struct as which memory is read.
    pub read_as: u32,
}

impl RdonlyCast {
    /// Name of a struct that has only words, so that the verifier takes each value read for a number, and that is at
    /// least as long as a struct page (arch/x86/include/asm/ptrace.h).
    pub const WORDS: &str = "pt_regs";

    /// Finds the BTF ids. `read_as` names the struct. `None` if the kernel lacks the function or the struct.
    pub fn find(types: &KernelTypes, read_as: &str) -> Option<Self> {
        Some(Self {
            function: types.function_number("bpf_rdonly_cast")?,
            read_as: types.struct_number(read_as)?,
        })
    }

    /// Returns a copy of an eBPF object in which calls of the placeholder call `bpf_rdonly_cast`.
    pub fn patch(self, object: &[u8]) -> Vec<u8> {
        /// `BPF_JMP | BPF_CALL` (include/uapi/linux/bpf.h).
        const CALL: u8 = 0x85;
        /// `BPF_PSEUDO_KFUNC_CALL`, in the upper half of the next byte.
        const KFUNC_CALL: u8 = 2 << 4;
        let [a, b, c, d] = rdonly_cast::PLACEHOLDER.to_le_bytes();
        let placeholder = [CALL, 0, 0, 0, a, b, c, d];
        let mut object = object.to_vec();
        // Sections, and so instructions, begin at multiples of 8 bytes in the file.
        for word in object.as_chunks_mut::<8>().0 {
            if *word == placeholder {
                word[1] = KFUNC_CALL;
                word[4..].copy_from_slice(&self.function.to_le_bytes());
            }
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_the_placeholder_are_patched() {
        const CALL: [u8; 8] = [0x85, 0, 0, 0, 0x01, 0x00, 0x57, 0x7a];
        const HELPER: [u8; 8] = [0x85, 0, 0, 0, 113, 0, 0, 0];
        const NUMBER: [u8; 8] = [0xb7, 1, 0, 0, 0x01, 0x00, 0x57, 0x7a];
        let rdonly_cast = RdonlyCast {
            function: 0x0001_2345,
            read_as: 1,
        };
        let object = [CALL, HELPER, NUMBER, CALL].concat();
        let kernels = [0x85, 0x20, 0, 0, 0x45, 0x23, 0x01, 0x00];
        let wanted = [kernels, HELPER, NUMBER, kernels].concat();
        assert_eq!(rdonly_cast.patch(&object), wanted);
        // Bytes that are too few for an instruction stay.
        assert_eq!(rdonly_cast.patch(&CALL[..7]), CALL[..7]);
    }
}
