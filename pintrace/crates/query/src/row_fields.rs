//! The fields of one kind of row, as queries name them.

use std::fmt::{self, Debug, Formatter};

use pintrace_model::field::Field;

use super::distance::Spelling;

/// The fields of a `T` and the texts that bare words match.
pub struct RowFields<T: 'static> {
    /// The rows, as in “Processes have no field severity”.
    pub noun: &'static str,
    /// The fields, in several lists. Of two fields with one id, the first counts.
    pub columns: &'static [&'static [Field<T>]],
    /// Short names, each with the id of its field.
    pub aliases: &'static [(&'static str, &'static str)],
    /// Hands the texts that a bare word matches to a function until the function returns true. Returns true if it did.
    pub words: WordsOf<T>,
    /// The values of a field that come from a fixed list, for completion.
    pub values: fn(&str) -> Vec<&'static str>,
}

/// Hands texts of a row to a function until the function returns true.
pub type WordsOf<T> = fn(&T, &mut dyn FnMut(&str) -> bool) -> bool;

impl<T> RowFields<T> {
    /// Returns every field once, in the order of the lists.
    #[must_use]
    pub fn all(&self) -> Vec<&'static Field<T>> {
        let mut all: Vec<&'static Field<T>> = Vec::new();
        for field in self.columns.iter().copied().flatten() {
            if !all.iter().any(|one| one.id == field.id) {
                all.push(field);
            }
        }
        all
    }

    /// Returns the field with an id, an alias or a title, in any case.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&'static Field<T>> {
        let is = |other: &str| other.eq_ignore_ascii_case(name);
        let alias = self.aliases.iter().find(|(alias, _)| is(alias));
        let by_id = |id: &str| self.fields().find(|field| field.id.eq_ignore_ascii_case(id));
        by_id(name)
            .or_else(|| by_id(alias?.1))
            .or_else(|| self.fields().find(|field| is(field.title)))
    }

    /// Returns true if an id, an alias or a title begins with a part, in any case.
    #[must_use]
    pub fn begins_name(&self, part: &str) -> bool {
        let part = part.to_lowercase();
        let titles = self.fields().map(|field| field.title);
        let mut names = self.names().into_iter().chain(titles);
        names.any(|name| name.to_lowercase().starts_with(&part))
    }

    /// Returns the ids and the aliases.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let ids = self.all().into_iter().map(|field| field.id);
        ids.chain(self.aliases.iter().map(|(alias, _)| *alias)).collect()
    }

    /// Returns the ids, the aliases and the titles, each with the name to suggest for it.
    pub(crate) fn spellings(&self) -> Vec<Spelling> {
        let names = self.names().into_iter().map(|name| (name, name));
        let titles = self.fields().map(|field| (field.title, field.id));
        names.chain(titles).collect()
    }

    fn fields(&self) -> impl Iterator<Item = &'static Field<T>> {
        self.columns.iter().copied().flatten()
    }
}

impl<T> Debug for RowFields<T> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "RowFields({})", self.noun)
    }
}
