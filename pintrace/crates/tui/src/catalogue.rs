//! What a configuration of the view can name: columns, orders, commands and their keys.

use pintrace_model::text::printable;

use super::app::COMMANDS;
use super::keymap::{BoundKey, GROUPS, Remapped};
use super::options::{KeyBinding, Sort};
use super::queries::Queries;
use super::view::View;
use super::views::Views;

/// A column of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnEntry {
    /// The id.
    pub id: &'static str,
    /// The view begins with the column, unless the configuration says otherwise.
    pub is_shown: bool,
}

/// A command, with its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandEntry {
    /// The heading of the help below which the command stands.
    pub group: &'static str,
    /// The words of the palette.
    pub command: &'static str,
    /// The argument, as help shows it; empty for none.
    pub argument: &'static str,
    /// What the command does.
    pub help: &'static str,
    /// The names of its keys.
    pub keys: Vec<String>,
}

fn showing(view: View) -> Views {
    Views {
        shown: view,
        ..Views::default()
    }
}

/// Returns the columns of a view in the order of the table; none for a view without rows.
#[must_use]
pub fn columns(view: View) -> Vec<ColumnEntry> {
    let choices = showing(view).columns().into_iter();
    let entry = |choice: super::table::ColumnChoice| ColumnEntry {
        id: choice.id,
        is_shown: choice.shown,
    };
    choices.map(entry).collect()
}

/// Returns the ids of what can order a view: its columns, and the tree of the cgroups.
#[must_use]
pub fn sort_keys(view: View) -> Vec<&'static str> {
    let tree = (view == View::Cgroups).then_some("tree");
    let columns = columns(view).into_iter().map(|column| column.id);
    let mut keys: Vec<&'static str> = tree.into_iter().chain(columns).collect();
    keys.dedup();
    keys
}

/// Returns the order with which a view begins; `None` for a view without rows.
#[must_use]
pub fn default_sort(view: View) -> Option<Sort> {
    let order = showing(view).order()?;
    Some(Sort {
        column: order.column,
        reversed: order.reversed,
    })
}

/// Returns every command with the keys that `own` leaves and adds.
#[must_use]
pub fn commands(own: &[KeyBinding]) -> Vec<CommandEntry> {
    let own = Remapped(own.iter().map(KeyBinding::remapped).collect());
    let labels = |keys: Vec<BoundKey>| keys.into_iter().map(BoundKey::label).collect();
    let bound = GROUPS.iter().flat_map(|group| {
        group.bindings.iter().map(|binding| CommandEntry {
            group: group.title,
            command: binding.command,
            argument: "",
            help: binding.help,
            keys: labels(own.keys_of(binding)),
        })
    });
    let with_argument = COMMANDS.iter().map(|command| CommandEntry {
        group: "Commands with an argument",
        command: command.name,
        argument: command.argument,
        help: command.help,
        keys: own
            .with_argument()
            .filter(|(_, text)| text.split_whitespace().next() == Some(command.name))
            .map(|(key, text)| format!("{} ({})", key.label(), printable(text)))
            .collect(),
    });
    bound.chain(with_argument).collect()
}

/// Returns the mistake of a query that suits the rows of no view, in one line, as it concerns the rows of `view`.
#[must_use]
pub fn query_mistake(text: &str, view: View) -> Option<String> {
    let queries = Queries::parse(text);
    if queries.is_query() {
        return None;
    }
    queries
        .error(view.row_kind())
        .map(pintrace_query::QueryError::one_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_but_the_system_has_columns_and_an_order_among_them() {
        for view in View::ALL {
            let columns = columns(view);
            assert_eq!(columns.is_empty(), view == View::System, "{view:?}");
            if let Some(sort) = default_sort(view) {
                assert!(sort_keys(view).contains(&sort.column), "{view:?}");
                assert!(columns.iter().any(|column| column.is_shown), "{view:?}");
            }
        }
    }

    #[test]
    fn a_key_of_the_configuration_stands_with_its_command() {
        let own = [
            KeyBinding::parse("x", "view pins").unwrap(),
            KeyBinding::parse("F9", "filter bytes > 1GiB").unwrap(),
            KeyBinding::parse("F8", "filter \u{1b}[31m").unwrap(),
        ];
        let commands = commands(&own);
        let keys = |name: &str| {
            let found = commands.iter().find(|entry| entry.command == name);
            found.unwrap().keys.clone()
        };
        assert_eq!(keys("view pins"), ["x", "4"]);
        assert_eq!(keys("filter"), ["/"]);
        assert_eq!(keys("zoom"), Vec::<String>::new());
        assert!(
            commands
                .iter()
                .any(|entry| entry.keys == ["F9 (filter bytes > 1GiB)", "F8 (filter \\u{1b}[31m)"])
        );
    }
}
