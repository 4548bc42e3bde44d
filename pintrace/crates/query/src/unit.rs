//! The units of values, and the words that are units.

use pintrace_model::field::Unit;

/// Decimal suffixes of counts and rates, without regard to case.
pub(crate) const DECIMAL: [(&str, u128); 7] = [
    ("", 1),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("p", 1_000_000_000_000_000),
    ("e", 1_000_000_000_000_000_000),
];

/// Units of bytes, without regard to case. KB is none of them, because it means 1000 bytes to some.
const BYTES: [(&str, u32); 7] = [
    ("", 0),
    ("k", 10),
    ("m", 20),
    ("g", 30),
    ("t", 40),
    ("p", 50),
    ("e", 60),
];

/// Units of time, in nanoseconds.
pub(crate) const TIME: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Words that others use as units. They are no units of queries, and a number before them has no other meaning.
const OTHERS: [&str; 6] = ["kb", "mb", "gb", "tb", "sec", "min"];

/// Returns the suffixes that turn digits into a value of a unit, for completion.
pub(crate) const fn suffixes(unit: Unit) -> &'static [&'static str] {
    match unit {
        Unit::Pages | Unit::Count | Unit::PagesPerSecond => &["k", "M", "G"],
        Unit::Bytes => &["KiB", "MiB", "GiB", "TiB"],
        Unit::Time => &["s", "ms", "m", "h", "d"],
        Unit::Share => &["%"],
        Unit::Address | Unit::Name => &[],
    }
}

/// Returns true for a word that is a unit after a number, or that others use as a unit.
pub(crate) fn is_unit(word: &str) -> bool {
    let word = word.strip_suffix("/s").unwrap_or(word);
    let known = looked_up(&DECIMAL, word).or_else(|| looked_up(&TIME, word));
    !word.is_empty()
        && (known.or_else(|| bytes(word)).is_some() || word == "%" || OTHERS.contains(&&*word.to_lowercase()))
}

/// Returns true for a unit of bytes in full, such as `MiB`.
pub(crate) fn is_binary_unit(word: &str) -> bool {
    word.len() == 3 && word.to_lowercase().ends_with("ib") && bytes(word).is_some()
}

/// Returns the factor of a suffix, in any case.
pub(crate) fn looked_up(units: &[(&str, u128)], suffix: &str) -> Option<u128> {
    let suffix = suffix.to_lowercase();
    units
        .iter()
        .find(|(name, _)| *name == suffix)
        .map(|(_, factor)| *factor)
}

/// Returns the number of bytes of a unit, in any case.
pub(crate) fn bytes(suffix: &str) -> Option<u128> {
    let suffix = suffix.to_lowercase();
    let of = |(letter, shift): &(&str, u32)| {
        let names = [(*letter).to_owned(), format!("{letter}i"), format!("{letter}ib")];
        let fits = names.contains(&suffix) && !suffix.starts_with('i') || (*shift == 0 && suffix == "b");
        fits.then_some(1u128 << shift)
    };
    BYTES.iter().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_others_are_units_too() {
        for unit in ["MiB", "k", "K/s", "ms", "µs", "%", "KB", "min", "b"] {
            assert!(is_unit(unit), "{unit}");
        }
        for word in ["", "/s", "fio", "7", "MiBs", "i", "ib"] {
            assert!(!is_unit(word), "{word}");
        }
        assert!(is_binary_unit("gib") && !is_binary_unit("gi") && !is_binary_unit("fib"));
    }
}
