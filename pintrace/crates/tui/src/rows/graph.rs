//! A line of characters as a graph: two values in each character, four heights.

use super::super::look::GraphCharacters;

/// The dots of the left and of the right column of a braille character, from no dot to four.
const LEFT: [u32; 5] = [0x00, 0x40, 0x44, 0x46, 0x47];
const RIGHT: [u32; 5] = [0x00, 0x80, 0xa0, 0xb0, 0xb8];
/// The character without dots (U+2800).
const EMPTY: u32 = 0x2800;
/// The ASCII character of each height.
const ASCII: [char; 5] = [' ', '.', ':', '+', '#'];

/// Returns a graph of the values. The highest value has four dots, and each value above 0 has at least one. An ASCII
/// character shows the higher one of its two values.
pub(super) fn line(values: &[u64], characters: GraphCharacters) -> String {
    let highest = values.iter().max().copied().unwrap_or(0);
    let dots = |value: Option<&u64>| match value {
        None | Some(0) => 0,
        Some(value) => {
            let dots = (u128::from(*value) * 4).div_ceil(u128::from(highest.max(1)));
            usize::try_from(dots).unwrap_or(4).clamp(1, 4)
        }
    };
    let pairs = values.chunks(2);
    let heights = pairs.map(|pair| (dots(pair.first()), dots(pair.get(1))));
    match characters {
        GraphCharacters::Braille => heights
            .filter_map(|(left, right)| char::from_u32(EMPTY + LEFT[left] + RIGHT[right]))
            .collect(),
        GraphCharacters::Ascii => heights.map(|(left, right)| ASCII[left.max(right)]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_has_four_dots_and_zero_has_none() {
        let line = |values: &[u64]| line(values, GraphCharacters::Braille);
        assert_eq!(line(&[0, 100]), "⢸");
        assert_eq!(line(&[1, 25, 26, 100, 50]), "⣀⣼⡄");
        assert_eq!(line(&[0, 0]), "\u{2800}");
        assert_eq!(line(&[u64::MAX, 1]), "⣇");
        assert_eq!(line(&[]), "");
    }

    #[test]
    fn ascii_shows_the_higher_value_of_two() {
        let line = |values: &[u64]| line(values, GraphCharacters::Ascii);
        assert_eq!(line(&[0, 0, 1, 0, 30, 2, 60, 75, 100]), " .:+#");
    }
}
