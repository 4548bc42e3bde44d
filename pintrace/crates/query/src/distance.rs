//! The nearest names of a misspelt one.

/// Returns names, nearest first: those that begin with the text, then by edit distance, then by alphabet.
pub(crate) fn nearest(text: &str, mut names: Vec<&'static str>) -> Vec<&'static str> {
    let text = text.to_lowercase();
    names.sort_by_cached_key(|name| {
        let lower = name.to_lowercase();
        (!lower.starts_with(&text), distance(&text, &lower), *name)
    });
    names.dedup();
    names
}

/// Returns the number of characters to insert, to delete, to replace or to swap with a neighbour.
fn distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=two.len()).collect();
    let mut previous = None;
    for (row, character) in one.chars().enumerate() {
        let mut line = vec![row + 1];
        for (column, other) in two.iter().enumerate() {
            let replaced = last[column] + usize::from(character != *other);
            let mut best = replaced.min(last[column + 1] + 1).min(line[column] + 1);
            let swapped = column > 0 && previous == Some(*other) && two[column - 1] == character;
            if let Some(apart) = before.get(column.wrapping_sub(1)).filter(|_| swapped) {
                best = best.min(apart + 1);
            }
            line.push(best);
        }
        before = std::mem::replace(&mut last, line);
        previous = Some(character);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!(distance("oldets", "oldest"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("pgaes", "pages"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn names_with_the_same_beginning_come_first() {
        let names = vec!["comm", "pages_held", "pid", "acquired"];
        assert_eq!(nearest("PAGES", names)[0], "pages_held");
        assert_eq!(nearest("com", vec!["pid", "comm"])[0], "comm");
    }
}
