//! The nearest names of a misspelt one.

/// A name that a user may write, and the name to suggest for it.
pub(crate) type Spelling = (&'static str, &'static str);

/// Returns the names to suggest, each once, nearest first: those with a spelling that begins with the text, then by edit
/// distance, then by alphabet.
pub(crate) fn nearest(text: &str, mut spellings: Vec<Spelling>) -> Vec<&'static str> {
    let text = text.to_lowercase();
    spellings.sort_by_cached_key(|(spelling, name)| {
        let lower = spelling.to_lowercase();
        (!lower.starts_with(&text), distance(&text, &lower), *name)
    });
    let mut names = Vec::new();
    for (_, name) in spellings {
        if !names.contains(&name) {
            names.push(name);
        }
    }
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
        let names = ["comm", "pages_held", "pid", "acquired"].map(|name| (name, name));
        assert_eq!(nearest("PAGES", names.to_vec())[0], "pages_held");
        assert_eq!(nearest("com", names.to_vec())[0], "comm");
    }

    #[test]
    fn a_misspelt_title_suggests_the_name_of_its_field_once() {
        let spellings = vec![
            ("pages_held", "pages_held"),
            ("pid", "pid"),
            ("PAGES", "pages_held"),
        ];
        assert_eq!(nearest("pagse", spellings), ["pages_held", "pid"]);
    }
}
