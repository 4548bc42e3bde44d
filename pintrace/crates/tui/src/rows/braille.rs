//! A line of braille characters as a graph: two values in each character, four heights.

/// The dots of the left and of the right column of a braille character, from no dot to four.
const LEFT: [u32; 5] = [0x00, 0x40, 0x44, 0x46, 0x47];
const RIGHT: [u32; 5] = [0x00, 0x80, 0xa0, 0xb0, 0xb8];
/// The character without dots (U+2800).
const EMPTY: u32 = 0x2800;

/// Returns a graph of the values. The highest value has four dots, and each value above 0 has at least one.
pub(super) fn line(values: &[u64]) -> String {
    let highest = values.iter().max().copied().unwrap_or(0);
    let dots = |value: Option<&u64>| match value {
        None | Some(0) => 0,
        Some(value) => {
            let dots = (u128::from(*value) * 4).div_ceil(u128::from(highest.max(1)));
            usize::try_from(dots).unwrap_or(4).clamp(1, 4)
        }
    };
    let pairs = values.chunks(2);
    pairs
        .filter_map(|pair| char::from_u32(EMPTY + LEFT[dots(pair.first())] + RIGHT[dots(pair.get(1))]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_has_four_dots_and_zero_has_none() {
        assert_eq!(line(&[0, 100]), "⢸");
        assert_eq!(line(&[1, 25, 26, 100, 50]), "⣀⣼⡄");
        assert_eq!(line(&[0, 0]), "\u{2800}");
        assert_eq!(line(&[u64::MAX, 1]), "⣇");
        assert_eq!(line(&[]), "");
    }
}
