//! The kernel's symbols: which functions exist, and which one an address lies in.

use std::path::Path;

/// All function symbols, by address.
#[derive(Clone, Debug, Default)]
pub struct Kallsyms {
    /// (address, name, module), sorted by address.
    symbols: Vec<(u64, Box<str>, Box<str>)>,
}

/// An address with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<'a> {
    /// The function.
    pub symbol: &'a str,
    /// Bytes into it.
    pub offset: u64,
    /// Its module, empty for the kernel proper.
    pub module: &'a str,
}

/// Further from a symbol than any function is long: not inside it.
const LONGEST_FUNCTION: u64 = 1 << 20;

impl Kallsyms {
    /// Reads a kallsyms file. Unreadable is the same as empty: then addresses stay without names.
    pub fn read(path: &Path) -> Self {
        std::fs::read(path)
            .map(|bytes| Self::parse(&String::from_utf8_lossy(&bytes)))
            .unwrap_or_default()
    }

    /// Parses kallsyms text: `address type name [module]` a line; only functions are kept.
    pub fn parse(text: &str) -> Self {
        let mut symbols: Vec<_> = text.lines().filter_map(parse_line).collect();
        symbols.sort_by_key(|(address, ..)| *address);
        Self { symbols }
    }

    /// Whether addresses are shown: they are all 0 without CAP_SYSLOG or with kptr_restrict.
    pub fn has_addresses(&self) -> bool {
        self.symbols.last().is_some_and(|(address, ..)| *address != 0)
    }

    /// Whether a function of this name exists.
    pub fn has(&self, name: &str) -> bool {
        self.symbols.iter().any(|(_, symbol, _)| &**symbol == name)
    }

    /// The function that an address lies in.
    pub fn locate(&self, address: u64) -> Option<Located<'_>> {
        let after = self.symbols.partition_point(|(start, ..)| *start <= address);
        let (start, symbol, module) = self.symbols.get(after.checked_sub(1)?)?;
        let offset = address - start;
        (*start != 0 && offset < LONGEST_FUNCTION).then_some(Located {
            symbol,
            offset,
            module,
        })
    }
}

fn parse_line(line: &str) -> Option<(u64, Box<str>, Box<str>)> {
    let mut words = line.split_ascii_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    if !matches!(words.next()?, "t" | "T" | "w" | "W") {
        return None;
    }
    let name = words.next()?;
    let module = words.next().unwrap_or_default().trim_matches(['[', ']']);
    Some((address, name.into(), module.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ffffffff81000000 T start\nffffffff81000100 t pin_user_pages\n\
                        ffffffff82000000 D some_data\nffffffffc0000000 t ib_umem_get\t[ib_core]\n";

    #[test]
    fn an_address_is_named_by_the_function_before_it() {
        let symbols = Kallsyms::parse(TEXT);
        let located = symbols.locate(0xffff_ffff_8100_0142).unwrap();
        assert_eq!(
            (located.symbol, located.offset, located.module),
            ("pin_user_pages", 0x42, "")
        );
    }

    #[test]
    fn a_module_is_named_and_data_is_no_function() {
        let symbols = Kallsyms::parse(TEXT);
        assert_eq!(symbols.locate(0xffff_ffff_c000_0010).unwrap().module, "ib_core");
        assert!(!symbols.has("some_data"));
    }

    #[test]
    fn hidden_addresses_name_nothing() {
        let symbols = Kallsyms::parse("0000000000000000 T start\n");
        assert!(!symbols.has_addresses());
        assert_eq!(symbols.locate(0x10), None);
        assert!(symbols.has("start"));
    }

    #[test]
    fn far_beyond_the_last_function_is_nowhere() {
        assert_eq!(Kallsyms::parse(TEXT).locate(u64::MAX), None);
    }
}
