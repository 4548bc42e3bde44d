//! The keys of a file, for messages, for the order of `config show` and for docs/configuration.md.

/// A key, or a table of keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyEntry {
    /// The name. A part in capitals stands for any name of its kind.
    pub name: &'static str,
    /// The values.
    pub values: &'static str,
    /// The value without a file.
    pub default: &'static str,
    /// What the key does.
    pub help: &'static str,
    /// The flag with the same effect.
    pub flag: &'static str,
}

/// Every key.
pub const KEYS: &[KeyEntry] = &[
    KeyEntry {
        name: "interval",
        values: "a time, such as `\"500ms\"` or `\"2s\"`",
        default: "`\"1s\"`",
        help: "the time between two samples",
        flag: "`--interval`",
    },
    KeyEntry {
        name: "view",
        values: "a view",
        default: "`\"processes\"`",
        help: "the first view",
        flag: "`--view`",
    },
    KeyEntry {
        name: "filter",
        values: "a [query](queries.md)",
        default: "`\"\"`",
        help: "the first filter",
        flag: "`--where`",
    },
    KeyEntry {
        name: "ended",
        values: "`true`, `false`",
        default: "`false`",
        help: "begin with the ended processes",
        flag: "",
    },
    KeyEntry {
        name: "mouse",
        values: "`true`, `false`",
        default: "`true`",
        help: "react to the mouse; with `false`, the terminal itself selects text",
        flag: "`--no-mouse`",
    },
    KeyEntry {
        name: "colours",
        values: "`\"auto\"`, `\"never\"`, `\"16\"`, `\"256\"`, `\"truecolor\"`",
        default: "`\"auto\"`",
        help: "the number of colours; `auto` takes it from `TERM` and `COLORTERM`",
        flag: "`--colours`",
    },
    KeyEntry {
        name: "palette",
        values: "`\"default\"`, `\"colour-blind\"`, `\"light\"`, `\"monochrome\"`",
        default: "`\"default\"`",
        help: "the choice of colours",
        flag: "`--palette`",
    },
    KeyEntry {
        name: "styles.STYLE",
        values: "a colour",
        default: "of the palette",
        help: "the colour of one style",
        flag: "",
    },
    KeyEntry {
        name: "columns.VIEW",
        values: "a list of columns",
        default: "of the view",
        help: "the columns to show of a view, in this order",
        flag: "",
    },
    KeyEntry {
        name: "sort.VIEW",
        values: "a column, also with `reversed` after it",
        default: "of the view",
        help: "the column that orders a view first",
        flag: "",
    },
    KeyEntry {
        name: "keys.KEY",
        values: "a command",
        default: "of the list",
        help: "the command of a key, in place of what the key does otherwise",
        flag: "",
    },
];

/// Returns the names of the keys and of the tables at the top of a file.
pub(super) fn top_names() -> Vec<&'static str> {
    let names = KEYS.iter().map(|key| key.name);
    names
        .map(|name| name.split_once('.').map_or(name, |(table, _)| table))
        .collect()
}
