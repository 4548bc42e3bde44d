//! The number of a noun: `1 process`, `2 processes`.

/// Returns the count and the noun in its number: `1 page`, `2 pages`. `singular` is the noun, which may be several words.
#[must_use]
pub fn counted(count: u64, singular: &str) -> String {
    format!("{count} {}", noun(count, singular))
}

/// Returns the noun in its number: singular for 1, else plural. Serves where the count is shown in another way than with
/// every digit.
#[must_use]
pub fn noun(count: u64, singular: &str) -> String {
    if count == 1 {
        return singular.to_owned();
    }
    match singular.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if ["s", "x", "ch", "sh"].iter().any(|end| singular.ends_with(end)) => format!("{singular}es"),
        _ => format!("{singular}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        let cases = [
            (0, "page", "0 pages"),
            (1, "page", "1 page"),
            (2, "page", "2 pages"),
            (1, "process", "1 process"),
            (2, "process", "2 processes"),
            (2, "table entry", "2 table entries"),
            (2, "key", "2 keys"),
            (2, "open file", "2 open files"),
            (u64::MAX, "pin", "18446744073709551615 pins"),
        ];
        for (count, singular, text) in cases {
            assert_eq!(counted(count, singular), text);
        }
    }
}
