//! The parsed form of a query, before its fields are looked up.

/// A query as a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    /// A bare word.
    Word(Located<String>),
    /// `field op value`.
    Comparison {
        field: Located<String>,
        operator: Located<Operator>,
        value: Located<String>,
        /// The unit of the value, if a blank stands between the two.
        unit: Option<Located<String>>,
    },
    /// `not`.
    Not(Box<Expression>),
    /// All of them; matches each row if there are none.
    And(Vec<Expression>),
    /// At least one of them.
    Or(Vec<Expression>),
}

/// A part of a query, and the byte at which it begins. Parts are equal if they mean the same, wherever they stand.
#[derive(Clone, Debug)]
pub(crate) struct Located<T> {
    pub(crate) is: T,
    pub(crate) at: usize,
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is == other.is
    }
}

impl<T: Eq> Eq for Located<T> {}

/// An operator of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `~`, a regular expression.
    Matches,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Self; 7] = [
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Matches,
    ];

    /// Returns the operator as a query contains it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Matches => "~",
        }
    }

    /// Returns true for an operator that needs an order of the values.
    #[must_use]
    pub const fn compares_order(self) -> bool {
        matches!(
            self,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
        )
    }

    /// Returns the operator with a text.
    pub(crate) fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str() == text)
    }
}

/// The words that combine terms.
pub(crate) const KEYWORDS: [&str; 3] = ["and", "or", "not"];

/// Returns true if a keyword begins with a part, in any case.
#[must_use]
pub fn begins_keyword(part: &str) -> bool {
    let part = part.to_lowercase();
    KEYWORDS.into_iter().any(|keyword| keyword.starts_with(&part))
}

/// Returns the keyword that a word is, in any case.
pub(crate) fn keyword(word: &str) -> Option<&'static str> {
    KEYWORDS
        .into_iter()
        .find(|keyword| keyword.eq_ignore_ascii_case(word))
}
