//! The symbols of a kernel: each address is inside the symbol that is found for it.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use pintrace_kernel::kallsyms::Kallsyms;

fuzz_target!(|input: (&str, u64)| {
    let (text, address) = input;
    let symbols = Kallsyms::parse(text);
    std::hint::black_box(symbols.locate(address).is_some());
    std::hint::black_box(symbols.has_addresses());
    std::hint::black_box(symbols.runs(str::len).count());
    let names: BTreeSet<&str> = text.split_whitespace().take(8).collect();
    assert!(symbols.among(&names).is_subset(&names));
    for name in names {
        if let Some(found) = symbols.address_of(name) {
            assert!(symbols.locate(found).is_some());
        }
    }
});
