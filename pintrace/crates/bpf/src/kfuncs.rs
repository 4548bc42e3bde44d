//! Lets the programs call kernel functions for which no present compiler and loader can emit a call
//! ([`pintrace_common::kfuncs`]).

use pintrace_common::kfuncs::{Kfunc, RDONLY_CAST};
use pintrace_kernel::btf::KernelTypes;

/// A kernel function and its BTF id.
#[derive(Clone, Copy, Debug)]
pub struct FoundKfunc {
    placeholder: u32,
    id: u32,
}

/// Finds kernel functions. `None` if the kernel lacks one of them.
pub fn find(types: &KernelTypes, functions: &[Kfunc]) -> Option<Vec<FoundKfunc>> {
    let found = |function: &Kfunc| {
        Some(FoundKfunc {
            placeholder: function.placeholder,
            id: types.function_number(function.name)?,
        })
    };
    functions.iter().map(found).collect()
}

/// Returns a copy of an eBPF object in which calls of placeholders call the functions.
pub fn patch(object: &[u8], functions: &[FoundKfunc]) -> Vec<u8> {
    /// `BPF_JMP | BPF_CALL` (include/uapi/linux/bpf.h).
    const CALL: u8 = 0x85;
    /// `BPF_PSEUDO_KFUNC_CALL`, in the upper half of the next byte.
    const KFUNC_CALL: u8 = 2 << 4;
    let mut object = object.to_vec();
    // Sections, and so instructions, begin at multiples of 8 bytes in the file.
    for word in object.as_chunks_mut::<8>().0 {
        let [CALL, 0, 0, 0, called @ ..] = *word else {
            continue;
        };
        let called = u32::from_le_bytes(called);
        if let Some(function) = functions.iter().find(|function| function.placeholder == called) {
            word[1] = KFUNC_CALL;
            word[4..].copy_from_slice(&function.id.to_le_bytes());
        }
    }
    object
}

/// The BTF ids for `bpf_rdonly_cast`, by which programs read kernel memory in place.
#[derive(Clone, Copy, Debug)]
pub struct RdonlyCast {
    function: FoundKfunc,
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
            function: *find(types, &[RDONLY_CAST])?.first()?,
            read_as: types.struct_number(read_as)?,
        })
    }

    /// Returns the function.
    pub fn function(self) -> FoundKfunc {
        self.function
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_the_placeholders_are_patched() {
        const CALL: [u8; 8] = [0x85, 0, 0, 0, 0x01, 0x00, 0x57, 0x7a];
        const OTHER: [u8; 8] = [0x85, 0, 0, 0, 0x02, 0x00, 0x57, 0x7a];
        const HELPER: [u8; 8] = [0x85, 0, 0, 0, 113, 0, 0, 0];
        const NUMBER: [u8; 8] = [0xb7, 1, 0, 0, 0x01, 0x00, 0x57, 0x7a];
        let function = FoundKfunc {
            placeholder: RDONLY_CAST.placeholder,
            id: 0x0001_2345,
        };
        let object = [CALL, HELPER, NUMBER, OTHER, CALL].concat();
        let kernels = [0x85, 0x20, 0, 0, 0x45, 0x23, 0x01, 0x00];
        let wanted = [kernels, HELPER, NUMBER, OTHER, kernels].concat();
        assert_eq!(patch(&object, &[function]), wanted);
        // Bytes that are too few for an instruction stay.
        assert_eq!(patch(&CALL[..7], &[function]), CALL[..7]);
    }
}
