//! A BTF file that a user passes with --btf: each type and its parts can be read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pintrace_kernel::btf::raw::Raw;

fuzz_target!(|bytes: &[u8]| {
    let Ok(raw) = Raw::parse(bytes.to_vec()) else {
        return;
    };
    for (number, entry) in raw.types() {
        assert!(number < raw.numbers());
        for part in raw.parts(&entry) {
            std::hint::black_box(part);
        }
    }
    std::hint::black_box(raw.entry(u32::MAX).is_some());
    std::hint::black_box(raw.named("page").count());
});
