//! Names that are not known, and the nearest known ones.

use std::fmt;

use pintrace_model::text::printable;

/// The longest text that a message quotes.
const QUOTED: usize = 40;

/// A name that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// What the name should name.
    what: &'static str,
    text: String,
    names: Vec<&'static str>,
    /// Where the names are listed, if they are too many for a message.
    elsewhere: Option<&'static str>,
}

impl Unknown {
    pub(super) fn new(what: &'static str, text: &str, names: Vec<&'static str>) -> Self {
        Self {
            what,
            text: text.to_owned(),
            names,
            elsewhere: None,
        }
    }

    /// Leaves out the names, and says where they are listed.
    pub(super) fn without_list(self, elsewhere: &'static str) -> Self {
        Self {
            elsewhere: Some(elsewhere),
            ..self
        }
    }
}

impl std::error::Error for Unknown {}

impl From<Unknown> for String {
    fn from(unknown: Unknown) -> Self {
        unknown.to_string()
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            text,
            names,
            elsewhere,
        } = self;
        write!(formatter, "no such {what}: `{}`", shortened(text))?;
        if let Some(nearest) = nearest(text, names) {
            write!(formatter, "; the nearest is `{nearest}`")?;
        }
        match elsewhere {
            Some(elsewhere) => write!(formatter, "; {elsewhere}"),
            None if names.is_empty() => write!(formatter, "; there is none"),
            None => write!(formatter, "; possible: {}", names.join(", ")),
        }
    }
}

/// Returns a text for a message: short, and without control characters.
pub(super) fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(QUOTED).collect();
    let rest = if chars.next().is_some() { "…" } else { "" };
    format!("{}{rest}", printable(&start))
}

/// Returns the value with a name.
pub(super) fn find<T>(
    what: &'static str,
    text: &str,
    all: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> &'static str,
) -> Result<T, Unknown>
where
    T: Copy,
{
    let all: Vec<T> = all.into_iter().collect();
    let found = all.iter().copied().find(|one| name(*one) == text);
    found.ok_or_else(|| Unknown::new(what, text, all.into_iter().map(name).collect()))
}

/// Returns the name that is nearest to a misspelt one; `None` if none is near.
fn nearest(text: &str, names: &[&'static str]) -> Option<&'static str> {
    let text: String = text.chars().take(QUOTED).collect();
    let text = text.to_lowercase().replace('_', "-");
    let distance = |name: &str| strsim::damerau_levenshtein(&text, &name.replace('_', "-"));
    let nearest = names.iter().min_by_key(|name| distance(name))?;
    // A word that shares less than half of its letters is another word.
    (distance(nearest) * 2 <= nearest.chars().count().max(2)).then_some(*nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_proposed() {
        let names = ["colours", "columns", "mouse"];
        assert_eq!(nearest("colors", &names), Some("colours"));
        assert_eq!(nearest("MOUSE", &names), Some("mouse"));
        assert_eq!(nearest("zzz", &names), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
