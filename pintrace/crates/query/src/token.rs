//! Cuts the text of a query into tokens. Each text has tokens: mistakes are found by the parser.

use std::ops::Range;

use winnow::combinator::{alt, not, opt, preceded, repeat, terminated};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, none_of, one_of, take_while};

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// `(`
    Open,
    /// `)`
    Close,
    /// A run of `=`, `<`, `>` and `~`, with `!` in front or without.
    Operator(String),
    /// Text without quotes.
    Word(String),
    /// Text in quotes; `closed` is false if the second quote is missing.
    Quoted { text: String, closed: bool },
}

/// A token and its bytes in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) span: Range<usize>,
}

type Input<'a> = LocatingSlice<&'a str>;

/// Characters of operators. `!` is one of them only in front of another.
pub(crate) const OPERATOR: [char; 4] = ['=', '<', '>', '~'];

/// Returns the tokens of a text.
pub(crate) fn tokens(text: &str) -> Vec<Placed> {
    let placed = token.with_span().map(|(token, span)| Placed { token, span });
    let mut all = terminated(repeat(0.., preceded(spaces, placed)), spaces);
    let found: ModalResult<Vec<Placed>> = all.parse_next(&mut LocatingSlice::new(text));
    found.unwrap_or_default()
}

/// Returns true if a text is one word token that means the text.
pub(crate) fn is_word(text: &str) -> bool {
    matches!(&tokens(text)[..], [Placed { token: Token::Word(word), .. }] if word == text)
}

fn spaces(input: &mut Input<'_>) -> ModalResult<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

fn token(input: &mut Input<'_>) -> ModalResult<Token> {
    alt((
        '('.value(Token::Open),
        ')'.value(Token::Close),
        operator.map(|text: &str| Token::Operator(text.to_owned())),
        quoted,
        word.map(|text: &str| Token::Word(text.to_owned())),
    ))
    .parse_next(input)
}

fn operator<'a>(input: &mut Input<'a>) -> ModalResult<&'a str> {
    (opt('!'), take_while(1.., OPERATOR)).take().parse_next(input)
}

/// A backslash escapes a quote and a backslash. Before another character it stands for itself, so that regular
/// expressions need few of them.
fn quoted(input: &mut Input<'_>) -> ModalResult<Token> {
    let escaped = preceded('\\', one_of(['"', '\\']));
    let text = repeat(0.., alt((escaped, none_of('"'))));
    (preceded('"', text), opt('"'))
        .map(|(text, end): (String, Option<char>)| Token::Quoted {
            text,
            closed: end.is_some(),
        })
        .parse_next(input)
}

fn word<'a>(input: &mut Input<'a>) -> ModalResult<&'a str> {
    let plain = any.verify(|character: &char| {
        !character.is_whitespace()
            && !['(', ')', '"', '!'].contains(character)
            && !OPERATOR.contains(character)
    });
    let exclamation = terminated('!', not(one_of(OPERATOR)));
    repeat::<_, _, (), _, _>(1.., alt((plain, exclamation)).void())
        .take()
        .parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let spans = tokens(text)
            .into_iter()
            .map(|placed| text[placed.span].to_owned());
        spans.collect()
    }

    #[test]
    fn spaces_around_operators_are_optional() {
        assert_eq!(
            texts("a>=4K (b!=\"x y\")"),
            ["a", ">=", "4K", "(", "b", "!=", "\"x y\"", ")"]
        );
        assert_eq!(texts("kworker/u8:3 wow! !x"), ["kworker/u8:3", "wow!", "!x"]);
    }

    #[test]
    fn a_backslash_escapes_only_quotes_and_backslashes() {
        let quoted = |text: &str| match tokens(text).remove(0).token {
            Token::Quoted { text, closed } => (text, closed),
            other => (format!("{other:?}"), false),
        };
        assert_eq!(quoted(r#""a\"b\\c\d""#), (r#"a"b\c\d"#.to_owned(), true));
        assert_eq!(quoted(r#""open\"#), ("open\\".to_owned(), false));
    }
}
