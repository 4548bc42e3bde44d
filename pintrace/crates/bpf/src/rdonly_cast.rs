//! Letting the programs read the kernel's memory in place, where the kernel offers it (6.2).

use pintrace_common::rdonly_cast;

use pintrace_kernel::btf::KernelTypes;

/// What it takes.
#[derive(Clone, Copy, Debug)]
pub struct RdonlyCast {
    /// The number of `bpf_rdonly_cast`.
    function: u32,
    /// The number of the struct that memory is read as.
    pub read_as: u32,
}

impl RdonlyCast {
    /// A struct of nothing but words, so that the verifier takes what is read for numbers, and as long as a struct page
    /// (arch/x86/include/asm/ptrace.h).
    pub const WORDS: &str = "pt_regs";

    /// What the kernel has for it, if it has; `read_as` names the struct.
    pub fn find(types: &KernelTypes, read_as: &str) -> Option<Self> {
        Some(Self {
            function: types.function_number("bpf_rdonly_cast")?,
            read_as: types.struct_number(read_as)?,
        })
    }

    /// An eBPF object with the number of the function in its calls.
    pub fn patch(self, object: &[u8]) -> Vec<u8> {
        /// `BPF_JMP | BPF_CALL`, and in the upper half of the next byte `BPF_PSEUDO_KFUNC_CALL` (include/uapi/linux/bpf.h).
        const CALL: u8 = 0x85;
        const OF_KERNEL: u8 = 2 << 4;
        let [a, b, c, d] = rdonly_cast::PLACEHOLDER.to_le_bytes();
        let placeholder = [CALL, 0, 0, 0, a, b, c, d];
        let mut object = object.to_vec();
        // Instructions lie at multiples of 8 in the file, as the section does.
        for word in object.as_chunks_mut::<8>().0 {
            if *word == placeholder {
                word[1] = OF_KERNEL;
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
    fn only_calls_of_the_placeholder_get_the_kernels_number() {
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
        // What does not fill an instruction stays.
        assert_eq!(rdonly_cast.patch(&CALL[..7]), CALL[..7]);
    }
}
