//! Parses tokens into an expression. `and` binds tighter than `or`, and terms side by side mean `and`.

mod comparison;

use super::error::Fault;
use super::expression::{Expression, keyword};
use super::token::{Placed, Token, tokens};
use super::{MAX_BYTES, MAX_DEPTH};

/// What can stand where a term is missing.
const TERMS: [&str; 4] = ["a word", "field op value", "not", "("];

/// Parses a query. An empty query is an `and` of nothing.
pub(crate) fn parse(text: &str) -> Result<Expression, Fault> {
    if text.len() > MAX_BYTES {
        let limit = format!("the query is longer than {MAX_BYTES} bytes");
        return Err(Fault::new(text.floor_char_boundary(MAX_BYTES), limit, [""; 0]));
    }
    let tokens = tokens(text);
    if tokens.is_empty() {
        return Ok(Expression::And(Vec::new()));
    }
    let mut parser = Parser {
        rest: &tokens,
        text,
        before: None,
    };
    let parsed = parser.any_of(0)?;
    match parser.rest.first() {
        None => Ok(parsed),
        // Only a closing parenthesis ends an expression before the end.
        Some(placed) => Err(Fault::new(
            placed.span.start,
            "this parenthesis was never opened",
            ["and", "or", "a word", "field op value"],
        )),
    }
}

struct Parser<'a> {
    /// The tokens that are left.
    rest: &'a [Placed],
    text: &'a str,
    /// The keyword that was read last, for the message about a missing term.
    before: Option<&'static str>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.rest.first().map(|placed| &placed.token)
    }

    fn peek_keyword(&self) -> Option<&'static str> {
        match self.peek()? {
            Token::Word(word) => keyword(word),
            _ => None,
        }
    }

    fn take(&mut self) -> Option<&'a Placed> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// The byte of the next token.
    fn here(&self) -> usize {
        self.rest
            .first()
            .map_or(self.text.len(), |placed| placed.span.start)
    }

    fn any_of(&mut self, depth: usize) -> Result<Expression, Fault> {
        let mut parts = vec![self.all_of(depth)?];
        while self.peek_keyword() == Some("or") {
            self.take();
            self.before = Some("or");
            parts.push(self.all_of(depth)?);
        }
        Ok(one_or(parts, Expression::Or))
    }

    fn all_of(&mut self, depth: usize) -> Result<Expression, Fault> {
        let mut parts = vec![self.term(depth)?];
        loop {
            match (self.peek(), self.peek_keyword()) {
                (None | Some(Token::Close), _) | (_, Some("or")) => {
                    return Ok(one_or(parts, Expression::And));
                }
                (_, Some("and")) => {
                    self.take();
                    self.before = Some("and");
                }
                _ => {}
            }
            parts.push(self.term(depth)?);
        }
    }

    /// Parses a term with all its `not`. The depth bounds the recursion.
    fn term(&mut self, depth: usize) -> Result<Expression, Fault> {
        let at = self.here();
        if depth > MAX_DEPTH {
            let limit = format!("parentheses and `not` are nested more than {MAX_DEPTH} deep");
            return Err(Fault::new(at, limit, [""; 0]));
        }
        if self.peek_keyword() == Some("not") {
            self.take();
            self.before = Some("not");
            return Ok(Expression::Not(Box::new(self.term(depth + 1)?)));
        }
        let Some(placed) = self.take() else {
            return Err(self.missing(at));
        };
        match &placed.token {
            Token::Open => self.group(at, depth),
            Token::Word(word) if keyword(word).is_none() => self.word(word, placed),
            Token::Quoted { text, closed } => self.quoted(text, *closed, placed),
            Token::Operator(operator) => Err(Fault::new(
                at,
                format!("a field is missing before `{operator}`"),
                ["field op value"],
            )),
            Token::Word(_) | Token::Close => Err(self.missing(at)),
        }
    }

    fn group(&mut self, opened: usize, depth: usize) -> Result<Expression, Fault> {
        self.before = Some("(");
        let inner = self.any_of(depth + 1)?;
        if self.take().is_some() {
            return Ok(inner);
        }
        let column = self.text[..opened].chars().count() + 1;
        let wrong = format!("the parenthesis in column {column} is not closed");
        Err(Fault::new(self.text.len(), wrong, [")", "and", "or"]))
    }

    fn missing(&self, at: usize) -> Fault {
        let after = self.before.map(|before| format!(" after `{before}`"));
        Fault::new(
            at,
            format!("a term is missing{}", after.unwrap_or_default()),
            TERMS,
        )
    }
}

/// Returns a single part as it is.
fn one_or(mut parts: Vec<Expression>, several: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            several(parts)
        }
        None => several(parts),
    }
}
