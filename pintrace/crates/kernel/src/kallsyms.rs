//! The kernel's symbols: which functions exist, and which one an address lies in.

use std::collections::BTreeSet;
use std::path::Path;

/// All function symbols, by address.
#[derive(Clone, Debug, Default)]
pub struct Kallsyms {
    /// Sorted by address.
    symbols: Vec<Symbol>,
    /// The names of all, one after the other.
    names: String,
    /// The first is empty, for the kernel proper.
    modules: Vec<Box<str>>,
}

/// A function; a kernel has some 150,000.
#[derive(Clone, Copy, Debug)]
struct Symbol {
    address: u64,
    /// Where its name begins, and how long it is.
    name: u32,
    length: u16,
    /// Which of the modules.
    module: u16,
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

/// ExtraFindings from a symbol than any function is long: not inside it.
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
        let mut all = Self {
            modules: vec!["".into()],
            ..Self::default()
        };
        for line in text.lines() {
            let symbol = parse_line(line).and_then(|(address, name, module)| {
                Some(Symbol {
                    address,
                    name: all.names.len().try_into().ok()?,
                    length: name.len().try_into().ok()?,
                    module: all.module(module)?,
                })
                .inspect(|_| all.names.push_str(name))
            });
            all.symbols.extend(symbol);
        }
        all.symbols.sort_by_key(|symbol| symbol.address);
        all
    }

    /// The number of a module. A module's symbols stand together.
    fn module(&mut self, name: &str) -> Option<u16> {
        let known = self.modules.iter().rposition(|module| &**module == name);
        let number = known.unwrap_or(self.modules.len());
        if known.is_none() {
            self.modules.push(name.into());
        }
        number.try_into().ok()
    }

    /// Whether addresses are shown: they are all 0 without CAP_SYSLOG or with kptr_restrict.
    pub fn has_addresses(&self) -> bool {
        self.symbols.last().is_some_and(|symbol| symbol.address != 0)
    }

    /// Which of these functions exist.
    pub fn among<'n>(&self, names: &BTreeSet<&'n str>) -> BTreeSet<&'n str> {
        let symbols = self.symbols.iter();
        symbols
            .filter_map(|symbol| names.get(self.name(symbol)))
            .copied()
            .collect()
    }

    /// The function that an address lies in.
    pub fn locate(&self, address: u64) -> Option<Located<'_>> {
        let after = self.symbols.partition_point(|symbol| symbol.address <= address);
        let symbol = self.symbols.get(after.checked_sub(1)?)?;
        let offset = address - symbol.address;
        (symbol.address != 0 && offset < LONGEST_FUNCTION).then(|| Located {
            symbol: self.name(symbol),
            offset,
            module: self
                .modules
                .get(usize::from(symbol.module))
                .map_or("", |module| module),
        })
    }

    fn name(&self, symbol: &Symbol) -> &str {
        let start = symbol.name as usize;
        self.names
            .get(start..start + usize::from(symbol.length))
            .unwrap_or_default()
    }
}

fn parse_line(line: &str) -> Option<(u64, &str, &str)> {
    let mut words = line.split_ascii_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    if !matches!(words.next()?, "t" | "T" | "w" | "W") {
        return None;
    }
    let name = words.next()?;
    let module = words.next().unwrap_or_default().trim_matches(['[', ']']);
    Some((address, name, module))
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
        let wanted = BTreeSet::from(["some_data", "ib_umem_get", "pin_user_pages", "not_there"]);
        assert_eq!(
            symbols.among(&wanted),
            BTreeSet::from(["ib_umem_get", "pin_user_pages"])
        );
    }

    #[test]
    fn hidden_addresses_name_nothing() {
        let symbols = Kallsyms::parse("0000000000000000 T start\n");
        assert!(!symbols.has_addresses());
        assert_eq!(symbols.locate(0x10), None);
        assert!(!symbols.among(&BTreeSet::from(["start"])).is_empty());
    }

    #[test]
    fn far_beyond_the_last_function_is_nowhere() {
        assert_eq!(Kallsyms::parse(TEXT).locate(u64::MAX), None);
    }
}
