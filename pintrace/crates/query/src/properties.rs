//! Properties of the parser, for arbitrary expressions and texts.

use proptest::prelude::*;

use super::MAX_BYTES;
use super::expression::{Expression, KEYWORDS, Located, Operator};
use super::parse::parse;
use super::rows::PROCESSES;
use super::token::tokens;
use super::{Query, complete};

fn located<T>(is: T) -> Located<T> {
    Located { is, at: 0 }
}

/// A bare word or a comparison, with any text as value.
fn leaf() -> impl Strategy<Value = Expression> {
    let not_keyword = |name: &String| !KEYWORDS.contains(&name.as_str());
    let field = "[a-z_/]{1,8}".prop_filter("a keyword is no field", not_keyword);
    let operator = proptest::sample::select(Operator::ALL.to_vec());
    let number = (
        "[0-9]{1,3}",
        proptest::sample::select(&["MiB", "k", "s", "%", "min"][..]),
    );
    let text = || {
        prop_oneof![
            any::<String>(),
            "[a-z \"'\\\\=!()&|]{0,6}",
            proptest::sample::select(&["and", "NOT", "or", "MiB", "%"][..]).prop_map(str::to_owned)
        ]
    };
    prop_oneof![
        text().prop_map(|word| Expression::Word(located(word))),
        (field.clone(), operator.clone(), number).prop_map(|(field, operator, (number, unit))| {
            Expression::Comparison {
                field: located(field),
                operator: located(operator),
                value: located(number),
                unit: Some(located(unit.to_owned())),
            }
        }),
        (field, operator, text()).prop_map(|(field, operator, value)| Expression::Comparison {
            field: located(field),
            operator: located(operator),
            value: located(value),
            unit: None,
        }),
    ]
}

fn expression() -> impl Strategy<Value = Expression> {
    leaf().prop_recursive(5, 30, 4, |inner| {
        let several = || proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.clone().prop_map(|inner| Expression::Not(Box::new(inner))),
            several().prop_map(Expression::And),
            several().prop_map(Expression::Or),
        ]
    })
}

/// Texts made of the parts of queries.
fn query_like() -> impl Strategy<Value = String> {
    let parts = [
        "pid", "comm", "oldest", "and", "or", "not", "(", ")", "=", "~", "!=", ">", "\"", "\\", "4K", "5s",
        "é", "[", " ", "日", "7", "MiB", "k", "&&", "|", "!", "'",
    ];
    proptest::collection::vec(proptest::sample::select(parts.to_vec()), 0..20)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn a_printed_expression_parses_to_itself(expression in expression()) {
        let text = expression.to_string();
        prop_assume!(text.len() <= MAX_BYTES);
        prop_assert_eq!(parse(&text), Ok(expression), "{}", text);
    }

    #[test]
    fn tokens_cover_any_text_up_to_its_last_word(text in prop_oneof![any::<String>(), query_like()]) {
        let all = tokens(&text);
        let end = all.last().map_or(0, |placed| placed.span.end);
        prop_assert_eq!(text[end..].trim(), "");
        for pair in all.windows(2) {
            prop_assert_eq!(text[pair[0].span.end..pair[1].span.start].trim(), "");
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused_at_a_column_of_the_text(text in prop_oneof![any::<String>(), query_like()]) {
        if let Err(error) = Query::parse(&text, &PROCESSES) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column()));
            prop_assert!(!error.one_line().contains('\n'));
            prop_assert!(error.to_string().lines().count() >= 3);
        }
    }

    #[test]
    fn a_completion_replaces_the_end_before_the_cursor(text in query_like(), cursor in 0usize..80) {
        let found = complete(&text, cursor, &PROCESSES, &|_| vec!["a b".to_owned()]);
        prop_assert!(found.replaces.end <= cursor.min(text.len()));
        prop_assert!(text.get(found.replaces).is_some());
    }
}
