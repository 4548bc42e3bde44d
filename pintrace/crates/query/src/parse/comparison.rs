//! Parses bare words and comparisons.

use super::super::error::Fault;
use super::super::expression::{Expression, Located, Operator};
use super::super::foreign::{Foreign, foreign, foreign_bare_word};
use super::super::literal::is_digits;
use super::super::token::{Placed, Token};
use super::super::unit::is_unit;
use super::Parser;

impl Parser<'_> {
    /// Parses a comparison whose field is `word`, or a bare word.
    pub(super) fn word(&mut self, word: &str, placed: &Placed) -> Result<Expression, Fault> {
        let word = Located {
            is: word.to_owned(),
            at: placed.span.start,
        };
        let Some(Token::Operator(operator)) = self.peek() else {
            refuse(foreign_bare_word(&word.is), word.at)?;
            self.ends(placed)?;
            return Ok(Expression::Word(word));
        };
        refuse(foreign(&word.is), word.at)?;
        let at = self.here();
        let names = Operator::ALL.map(Operator::as_str);
        let operator = Operator::named(operator)
            .ok_or_else(|| Fault::new(at, format!("there is no operator `{operator}`"), names))?;
        self.take();
        let value = self.value(operator)?;
        let unit = self.unit_of(&value);
        Ok(Expression::Comparison {
            field: word,
            operator: Located { is: operator, at },
            value,
            unit,
        })
    }

    /// Takes the unit of a number, as in `7 MiB`. Only the field tells whether the two are a value.
    fn unit_of(&mut self, value: &Located<String>) -> Option<Located<String>> {
        let placed = self.rest.first()?;
        let Token::Word(word) = &placed.token else {
            return None;
        };
        let begins_comparison = matches!(self.rest.get(1).map(|next| &next.token), Some(Token::Operator(_)));
        if !is_digits(&value.is) || !is_unit(word) || begins_comparison {
            return None;
        }
        self.take();
        Some(Located {
            is: word.clone(),
            at: placed.span.start,
        })
    }

    fn value(&mut self, operator: Operator) -> Result<Located<String>, Fault> {
        let at = self.here();
        let missing = || {
            let wrong = format!("a value is missing after `{}`", operator.as_str());
            Fault::new(at, wrong, ["a value", "text in quotes"])
        };
        if self.peek_keyword().is_some() {
            return Err(missing());
        }
        let placed = self.take().ok_or_else(missing)?;
        let text = match &placed.token {
            Token::Word(word) => {
                refuse(foreign(word), at)?;
                word
            }
            Token::Quoted { text, closed: true } => text,
            Token::Quoted { .. } => return Err(unclosed(at)),
            Token::Open | Token::Close | Token::Operator(_) => return Err(missing()),
        };
        self.ends(placed)?;
        Ok(Located { is: text.clone(), at })
    }

    pub(super) fn quoted(&mut self, text: &str, closed: bool, placed: &Placed) -> Result<Expression, Fault> {
        let at = placed.span.start;
        if !closed {
            return Err(unclosed(at));
        }
        if let Some(Token::Operator(_)) = self.peek() {
            return Err(Fault::new(
                at,
                "a field stands without quotes",
                ["field op value"],
            ));
        }
        Ok(Expression::Word(Located {
            is: text.to_owned(),
            at,
        }))
    }

    /// Refuses a word that goes on as something else, as in `comm ~ ^(a|b)`: the user means one value.
    fn ends(&self, placed: &Placed) -> Result<(), Fault> {
        let touches = self.here() == placed.span.end && self.here() != self.text.len();
        if touches && !matches!(self.peek(), None | Some(Token::Close)) {
            let wrong = "a value with this character needs quotes";
            return Err(Fault::new(self.here(), wrong, ["a space", "\"...\""]));
        }
        Ok(())
    }
}

/// Turns the mistake of a word at a byte into a fault.
fn refuse(mistake: Option<Foreign>, at: usize) -> Result<(), Fault> {
    mistake.map_or(Ok(()), |mistake| {
        Err(Fault::new(at + mistake.at, mistake.wrong, mistake.possible))
    })
}

fn unclosed(at: usize) -> Fault {
    Fault::new(at, "this quote is not closed", ["\"...\""])
}
