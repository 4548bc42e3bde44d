//! Words without quotes that mean something in other languages, and units that stand alone. Such a word would match
//! nothing, and the query would seem right.

use super::unit::is_binary_unit;

/// A word that a query refuses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// The byte of the word at which the mistake begins.
    pub(crate) at: usize,
    pub(crate) wrong: String,
    pub(crate) possible: Vec<String>,
}

/// Returns the mistake of a word or a value without quotes.
pub(crate) fn foreign(word: &str) -> Option<Foreign> {
    if word.starts_with('\'') {
        let wrong = "single quotes are part of a word; text stands in double quotes";
        return Some(Foreign::new(0, wrong, &["\"...\""]));
    }
    if word.starts_with('!') {
        return Some(Foreign::new(
            0,
            "there is no operator `!`",
            &["not", "!=", "\"...\""],
        ));
    }
    [("&", "and"), ("|", "or")]
        .into_iter()
        .find_map(|(sign, keyword)| {
            let double = sign.repeat(2);
            let (at, operator) = match word.find(&double) {
                Some(at) => (at, double.as_str()),
                None if word == sign => (0, sign),
                None => return None,
            };
            let wrong = format!("there is no operator `{operator}`");
            Some(Foreign::new(at, &wrong, &[keyword, "\"...\""]))
        })
}

/// Returns the mistake of a bare word without quotes.
pub(crate) fn foreign_bare_word(word: &str) -> Option<Foreign> {
    if !is_binary_unit(word) && word != "%" {
        return foreign(word);
    }
    let wrong = format!("`{word}` is a unit, and the number is missing");
    let with_number = format!("field op 7{word}");
    Some(Foreign::new(0, &wrong, &[&with_number, &format!("\"{word}\"")]))
}

impl Foreign {
    fn new(at: usize, wrong: &str, possible: &[&str]) -> Self {
        Self {
            at,
            wrong: wrong.to_owned(),
            possible: possible.iter().map(|one| (*one).to_owned()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_other_languages_are_found_at_their_byte() {
        let at = |word: &str| foreign(word).map(|mistake| (mistake.at, mistake.possible[0].clone()));
        assert_eq!(at("&&"), Some((0, "and".to_owned())));
        assert_eq!(at("fio&&dd"), Some((3, "and".to_owned())));
        assert_eq!(at("é||"), Some((2, "or".to_owned())));
        assert_eq!(at("&"), Some((0, "and".to_owned())));
        assert_eq!(at("!"), Some((0, "not".to_owned())));
        assert_eq!(at("!fio"), Some((0, "not".to_owned())));
        assert_eq!(at("'fio'"), Some((0, "\"...\"".to_owned())));
        for word in ["wow!", "it's", "a|b", "a&b", "--flag=1", "MiB"] {
            assert_eq!(at(word), None, "{word}");
        }
    }

    #[test]
    fn only_units_that_are_no_beginning_of_a_name_are_refused_as_bare_words() {
        for unit in ["MiB", "kib", "EiB", "%"] {
            assert!(foreign_bare_word(unit).is_some(), "{unit}");
        }
        for word in ["m", "ms", "s", "k", "d", "mi", "fio", "b"] {
            assert_eq!(foreign_bare_word(word), None, "{word}");
        }
    }
}
