//! The kernel's symbols: which functions exist, and which function contains an address.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// All function symbols of the kernel and its modules.
#[derive(Clone, Debug, Default)]
pub struct Kallsyms {
    /// Sorted by address.
    symbols: Vec<Symbol>,
    /// All names, one after the other.
    names: String,
    /// Names of modules; the first is empty, for the kernel proper.
    modules: Vec<Box<str>>,
}

/// A function symbol; a kernel has about 150,000.
#[derive(Clone, Copy, Debug)]
struct Symbol {
    address: u64,
    /// Start of the name in `Kallsyms::names`, in bytes.
    name: u32,
    /// Length of the name in bytes.
    length: u16,
    /// Index into `Kallsyms::modules`.
    module: u16,
}

/// The function that contains an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<'a> {
    /// Name of the function.
    pub symbol: &'a str,
    /// Bytes from the start of the function to the address.
    pub offset: u64,
    /// Module of the function; empty for the kernel proper.
    pub module: &'a str,
}

/// Bytes. No function is longer, so an address this far from a symbol is outside the function.
const LONGEST_FUNCTION: u64 = 1 << 20;

impl Kallsyms {
    /// Reads a kallsyms file. An unreadable file gives no symbols, so that addresses have no names.
    pub fn read(path: &Path) -> Self {
        std::fs::read(path)
            .map(|bytes| Self::parse(&String::from_utf8_lossy(&bytes)))
            .unwrap_or_default()
    }

    /// Parses kallsyms text, a line `address type name [module]` for each symbol, and keeps the functions.
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

    /// Returns the index of a module, and adds a new module. The symbols of one module follow each other, so the search
    /// begins at the last module.
    fn module(&mut self, name: &str) -> Option<u16> {
        let known = self.modules.iter().rposition(|module| &**module == name);
        let number = known.unwrap_or(self.modules.len());
        if known.is_none() {
            self.modules.push(name.into());
        }
        number.try_into().ok()
    }

    /// Returns true if the file shows addresses. All addresses are 0 without CAP_SYSLOG or with kptr_restrict.
    pub fn has_addresses(&self) -> bool {
        self.symbols.last().is_some_and(|symbol| symbol.address != 0)
    }

    /// Returns those of `names` that exist as functions.
    pub fn among<'n>(&self, names: &BTreeSet<&'n str>) -> BTreeSet<&'n str> {
        let symbols = self.symbols.iter();
        symbols
            .filter_map(|symbol| names.get(self.name(symbol)))
            .copied()
            .collect()
    }

    /// Returns true if exactly one function has a name.
    pub fn has_one(&self, name: &str) -> bool {
        let mut found = self.symbols.iter().filter(|symbol| self.name(symbol) == name);
        found.next().is_some() && found.next().is_none()
    }

    /// Returns those of `names` that exist as functions of modules alone.
    pub fn only_in_modules<'n>(&self, names: &BTreeSet<&'n str>) -> BTreeSet<&'n str> {
        let mut found = BTreeSet::new();
        let mut proper = BTreeSet::new();
        for symbol in &self.symbols {
            if let Some(name) = names.get(self.name(symbol)) {
                let set = if symbol.module == 0 {
                    &mut proper
                } else {
                    &mut found
                };
                set.insert(*name);
            }
        }
        &found - &proper
    }

    /// Returns the address of the function with a name. `None` if addresses are hidden, or if no function or several
    /// functions have the name.
    pub fn address_of(&self, name: &str) -> Option<u64> {
        let mut found = self.symbols.iter().filter(|symbol| self.name(symbol) == name);
        let address = found.next()?.address;
        (address != 0 && found.next().is_none()).then_some(address)
    }

    /// Returns the address of each function with the value of its name, in the order of addresses. Empty if addresses are
    /// hidden.
    pub fn runs<V>(&self, value: impl Fn(&str) -> V) -> impl Iterator<Item = (u64, V)> {
        let symbols = self.symbols.iter().filter(|symbol| symbol.address != 0);
        symbols.map(move |symbol| (symbol.address, value(self.name(symbol))))
    }

    /// Returns the function that contains an address. `None` if addresses are hidden or the address is in no function.
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

/// Returns the addresses of all functions with one of these names, by address. The file is searched and not parsed,
/// because a caller that needs a few addresses should not pay for 150,000 symbols. Empty if addresses are hidden.
pub fn addresses<'n>(path: &Path, names: &[&'n str]) -> BTreeMap<u64, &'n str> {
    let text = std::fs::read(path).unwrap_or_default();
    let mut found = BTreeMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let name = names.iter().find(|name| {
            let mut words = line.split(|byte| matches!(byte, b' ' | b'\t'));
            words.nth(2) == Some(name.as_bytes())
        });
        let parsed = name.and_then(|name| Some((parse_line(str::from_utf8(line).ok()?)?.0, *name)));
        found.extend(parsed.filter(|(address, _)| *address != 0));
    }
    found
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
    fn a_name_of_several_functions_has_no_address() {
        let symbols = Kallsyms::parse(&format!(
            "{TEXT}ffffffff81000200 t twice\nffffffff81000300 t twice\n"
        ));
        assert_eq!(symbols.address_of("pin_user_pages"), Some(0xffff_ffff_8100_0100));
        assert_eq!(symbols.address_of("twice"), None);
        let one = ["pin_user_pages", "twice", "absent"].map(|name| symbols.has_one(name));
        assert_eq!(one, [true, false, false]);
        assert_eq!(symbols.address_of("some_data"), None);
    }

    #[test]
    fn modules_are_named_and_data_symbols_are_left_out() {
        let symbols = Kallsyms::parse(TEXT);
        assert_eq!(symbols.locate(0xffff_ffff_c000_0010).unwrap().module, "ib_core");
        let wanted = BTreeSet::from(["some_data", "ib_umem_get", "pin_user_pages", "not_there"]);
        assert_eq!(
            symbols.among(&wanted),
            BTreeSet::from(["ib_umem_get", "pin_user_pages"])
        );
    }

    #[test]
    fn a_function_that_the_kernel_proper_has_too_is_not_only_in_modules() {
        let symbols = Kallsyms::parse(&format!("{TEXT}ffffffffc0000100 t start\t[ib_core]\n"));
        let wanted = BTreeSet::from(["start", "ib_umem_get", "pin_user_pages"]);
        assert_eq!(symbols.only_in_modules(&wanted), BTreeSet::from(["ib_umem_get"]));
    }

    #[test]
    fn addresses_are_found_by_whole_names() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text =
            format!("{TEXT}ffffffffc0000100 t ib_umem_get\t[other]\nffffffffc0000200 t ib_umem_get_all\n");
        std::fs::write(file.path(), text).unwrap();
        let found = addresses(file.path(), &["ib_umem_get", "some_data", "start"]);
        let expected = [
            (0xffff_ffff_8100_0000, "start"),
            (0xffff_ffff_c000_0000, "ib_umem_get"),
            (0xffff_ffff_c000_0100, "ib_umem_get"),
        ];
        assert_eq!(found, BTreeMap::from(expected));
        std::fs::write(file.path(), "0000000000000000 T start\n").unwrap();
        assert!(addresses(file.path(), &["start"]).is_empty());
    }

    #[test]
    fn hidden_addresses_are_in_no_function() {
        let symbols = Kallsyms::parse("0000000000000000 T start\n");
        assert!(!symbols.has_addresses());
        assert_eq!(symbols.locate(0x10), None);
        assert!(!symbols.among(&BTreeSet::from(["start"])).is_empty());
    }

    #[test]
    fn an_address_far_beyond_the_last_function_is_in_no_function() {
        assert_eq!(Kallsyms::parse(TEXT).locate(u64::MAX), None);
    }
}
