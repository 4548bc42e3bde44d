//! The list of key bindings, in the order of footer and help.

use crossterm::event::KeyCode;

use super::super::view::View;
use super::{Action, Binding, BindingGroup, BoundKey, KeyScope};

/// Every binding.
pub(crate) const GROUPS: &[BindingGroup] = &[
    group("Keys on every screen", KeyScope::Everywhere, GENERAL),
    group("Keys of a table", KeyScope::Tables, TABLE),
    group("Keys of an open row", KeyScope::OpenRow, OPEN),
    group("Keys of the cgroups", KeyScope::Of(View::Cgroups), CGROUPS),
    group("Views", KeyScope::Everywhere, VIEWS),
    group("Time", KeyScope::Everywhere, TIME),
    group("Ended processes", KeyScope::Of(View::Processes), ENDED),
    group("Order of the processes", KeyScope::Of(View::Processes), PROCESSES),
    group("Order of the cgroups", KeyScope::Of(View::Cgroups), BY_PAGES_TREE),
    group("Order of the holders", KeyScope::Of(View::Holders), HOLDERS),
    group("Order of the pins", KeyScope::Of(View::Pins), PINS),
    group(
        "Order of the call sites",
        KeyScope::Of(View::CallSites),
        CALL_SITES,
    ),
    group("Order of the findings", KeyScope::Of(View::Findings), FINDINGS),
    group("Order of the pin calls", KeyScope::Of(View::PinCalls), PIN_CALLS),
    group("Actions", KeyScope::Everywhere, ACTIONS),
];

const GENERAL: &[Binding] = &[
    bind("quit", 'q', Action::Quit, "quit")
        .or(BoundKey::control('c'))
        .hint("quit"),
    special(
        "back",
        KeyCode::Esc,
        Action::Back,
        "close what is open, or clear the filter; never quits",
    ),
    bind("help", '?', Action::Help, "show or hide this help")
        .or(BoundKey::code(KeyCode::F(1)))
        .hint("help"),
    bind(
        "palette",
        ':',
        Action::Palette,
        "type a command; every key has one",
    )
    .hint("command"),
    special("down", KeyCode::Down, Action::Move(1), "one line down").or(BoundKey::char('j')),
    special("up", KeyCode::Up, Action::Move(-1), "one line up").or(BoundKey::char('k')),
    special("page down", KeyCode::PageDown, Action::Page(1), "one screen down").or(BoundKey::control('f')),
    special("page up", KeyCode::PageUp, Action::Page(-1), "one screen up").or(BoundKey::control('b')),
    special(
        "first",
        KeyCode::Home,
        Action::First,
        "to the first line, and stay there",
    )
    .or(BoundKey::char('g')),
    special("last", KeyCode::End, Action::Last, "to the last line").or(BoundKey::char('G')),
];

const TABLE: &[Binding] = &[
    special(
        "open",
        KeyCode::Enter,
        Action::Open,
        "all that is known of the row",
    )
    .hint("detail"),
    bind(
        "filter",
        '/',
        Action::Filter,
        "show only rows that match a query, such as bytes > 1GiB",
    )
    .hint("filter"),
    bind(
        "sort left",
        '<',
        Action::SortBeside(-1),
        "order by the column to the left",
    ),
    bind(
        "sort right",
        '>',
        Action::SortBeside(1),
        "order by the column to the right",
    )
    .hint("sort"),
    bind("reverse", 'R', Action::Reverse, "reverse the order"),
    bind("columns", 'c', Action::Columns, "choose the columns").hint("columns"),
];

const OPEN: &[Binding] = &[special("close", KeyCode::Enter, Action::Open, "back to the table").hint("back")];

const CGROUPS: &[Binding] = &[
    special(
        "fold",
        KeyCode::Left,
        Action::Fold(true),
        "hide the cgroups inside",
    )
    .or(BoundKey::char('-')),
    special(
        "unfold",
        KeyCode::Right,
        Action::Fold(false),
        "show the cgroups inside",
    )
    .or(BoundKey::char('+'))
    .hint("unfold"),
    bind(
        "zoom",
        'x',
        Action::Zoom,
        "show this cgroup alone, or the whole tree",
    )
    .hint("zoom"),
];

const VIEWS: &[Binding] = &[
    bind(
        "view processes",
        '1',
        Action::Show(View::Processes),
        "processes that pin",
    ),
    bind(
        "view cgroups",
        '2',
        Action::Show(View::Cgroups),
        "cgroups and containers",
    ),
    bind(
        "view holders",
        '3',
        Action::Show(View::Holders),
        "open files that hold pins: rings, sockets, containers",
    ),
    bind(
        "view pins",
        '4',
        Action::Show(View::Pins),
        "ranges of long-term pins",
    ),
    bind(
        "view call-sites",
        '5',
        Action::Show(View::CallSites),
        "kernel code that pins, by call stack",
    ),
    bind(
        "view findings",
        '6',
        Action::Show(View::Findings),
        "what is dangerous, and what to do",
    )
    .or(BoundKey::char('f')),
    bind(
        "view flush-windows",
        '7',
        Action::Show(View::FlushWindows),
        "write protections that wait for their TLB flush",
    ),
    bind(
        "view pin-calls",
        '8',
        Action::Show(View::PinCalls),
        "how long pin calls take, which are in flight, which fail",
    )
    .or(BoundKey::char('P')),
    bind(
        "view system",
        '9',
        Action::Show(View::System),
        "whether the figures can be trusted, and what pintrace uses",
    ),
    bind(
        "view own-cost",
        'u',
        Action::OwnCost,
        "what pintrace itself uses: the end of the view of the system",
    ),
    bind(
        "view changes",
        '0',
        Action::Show(View::Changes),
        "changes of processes since the baseline (B)",
    ),
    special("view next", KeyCode::Tab, Action::Beside(1), "the next view").hint("view"),
    special(
        "view previous",
        KeyCode::BackTab,
        Action::Beside(-1),
        "the view before",
    ),
];

const TIME: &[Binding] = &[
    bind(
        "pause",
        'z',
        Action::Freeze,
        "stop at this moment, or return to the present; in a replay, play or pause",
    )
    .or(BoundKey::char(' '))
    .hint("pause"),
    bind("step back", '[', Action::Step(-1), "one snapshot back in time"),
    bind(
        "step forward",
        ']',
        Action::Step(1),
        "one snapshot forward in time",
    ),
    bind("jump back", '{', Action::Step(-10), "ten snapshots back in time"),
    bind(
        "jump forward",
        '}',
        Action::Step(10),
        "ten snapshots forward in time",
    ),
    bind(
        "baseline",
        'B',
        Action::Baseline,
        "mark this moment, and show the differences since; again: forget it",
    ),
];

const ENDED: &[Binding] = &[bind(
    "ended",
    'e',
    Action::Ended,
    "show or hide ended processes that hold nothing",
)
.hint("ended")];

const PROCESSES: &[Binding] = &[
    sort("sort pages_held", 'p', "pages_held", "by pages held"),
    sort("sort bytes_held", 'b', "bytes_held", "by bytes held"),
    sort(
        "sort longterm_share",
        'l',
        "longterm_share",
        "by share of long-term pins",
    ),
    sort(
        "sort acquired_per_second",
        'a',
        "acquired_per_second",
        "by pages acquired per second",
    ),
    sort(
        "sort released_per_second",
        'r',
        "released_per_second",
        "by pages released per second",
    ),
    sort("sort oldest", 'o', "oldest", "by the oldest pin"),
    sort("sort comm", 'n', "comm", "by command name"),
    sort("sort pid", 'i', "pid", "by pid"),
    sort("sort subsystem", 's', "subsystem", "by main subsystem"),
];

const BY_PAGES_TREE: &[Binding] = &[
    sort("sort tree", 't', "tree", "as a tree"),
    sort("sort pages_held", 'p', "pages_held", "by pages held"),
    sort("sort bytes_held", 'b', "bytes_held", "by bytes held"),
    sort("sort oldest", 'o', "oldest", "by the oldest pin"),
    sort("sort findings", 'd', "findings", "by number of findings"),
];

const HOLDERS: &[Binding] = &[
    sort("sort pages_held", 'p', "pages_held", "by pages held"),
    sort("sort bytes_held", 'b', "bytes_held", "by bytes held"),
    sort("sort oldest", 'o', "oldest", "by the oldest pin"),
    sort("sort holder", 'd', "holder", "by kind of holder"),
    sort("sort comm", 'n', "comm", "by command name"),
    sort("sort pid", 'i', "pid", "by pid"),
];

const PINS: &[Binding] = &[
    sort("sort pages_held", 'p', "pages_held", "by pages held"),
    sort("sort bytes_held", 'b', "bytes_held", "by bytes held"),
    sort("sort pin_age", 'o', "pin_age", "oldest first"),
    sort("sort address", 'a', "address", "by address"),
    sort("sort subsystem", 's', "subsystem", "by subsystem"),
    sort("sort comm", 'n', "comm", "by command name"),
    sort("sort pid", 'i', "pid", "by pid"),
];

const CALL_SITES: &[Binding] = &[
    sort("sort pages_held", 'p', "pages_held", "by pages held"),
    sort("sort bytes_held", 'b', "bytes_held", "by bytes held"),
    sort("sort oldest", 'o', "oldest", "by the oldest pin"),
    sort("sort caller", 'd', "caller", "by caller"),
    sort("sort subsystem", 's', "subsystem", "by subsystem"),
];

const FINDINGS: &[Binding] = &[
    sort("sort severity", 's', "severity", "worst first, then latest first"),
    sort("sort last", 't', "last", "latest first"),
    sort("sort count", 'p', "count", "by number of times"),
    sort("sort kind", 'd', "kind", "by kind of finding"),
    sort("sort comm", 'n', "comm", "by command name"),
];

const PIN_CALLS: &[Binding] = &[
    sort(
        "sort registration_longest",
        's',
        "registration_longest",
        "slowest registration first",
    ),
    sort("sort call_longest", 'l', "call_longest", "longest call first"),
    sort("sort comm", 'n', "comm", "by command name"),
    sort("sort pid", 'i', "pid", "by pid"),
];

const ACTIONS: &[Binding] = &[
    bind(
        "findings of row",
        'F',
        Action::FindingsOfRow,
        "the findings of the process under the cursor",
    ),
    bind(
        "copy text",
        'y',
        Action::CopyText,
        "copy the row to the clipboard of the terminal (OSC 52)",
    ),
    bind("copy json", 'Y', Action::CopyJson, "copy the row as JSON"),
    bind(
        "save",
        'S',
        Action::Save,
        "write the snapshot on the screen to a file as JSON",
    ),
    bind(
        "record",
        'w',
        Action::Record,
        "record the session into a file, from its start on, or end the recording",
    ),
    Binding::new(
        "redraw",
        BoundKey::control('l'),
        Action::Redraw,
        "draw the whole screen again, after other programs have written on it",
    ),
    Binding::new(
        "suspend",
        BoundKey::control('z'),
        Action::Suspend,
        "suspend; fg continues",
    ),
];

const fn group(title: &'static str, scope: KeyScope, bindings: &'static [Binding]) -> BindingGroup {
    BindingGroup {
        title,
        scope,
        bindings,
    }
}

const fn bind(command: &'static str, key: char, action: Action, help: &'static str) -> Binding {
    Binding::new(command, BoundKey::char(key), action, help)
}

const fn special(command: &'static str, key: KeyCode, action: Action, help: &'static str) -> Binding {
    Binding::new(command, BoundKey::code(key), action, help)
}

const fn sort(command: &'static str, key: char, column: &'static str, help: &'static str) -> Binding {
    bind(command, key, Action::Sort(column), help)
}
