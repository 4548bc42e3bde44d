//! The list of key bindings, in the order of footer and help.

use crossterm::event::KeyCode;

use super::{Action, Binding, BindingGroup, BoundKey, KeyScope};

/// Every binding.
pub(crate) const GROUPS: &[BindingGroup] = &[
    group("Keys on every screen", KeyScope::Everywhere, GENERAL),
    group("Keys of the processes", KeyScope::ProcessTable, TABLE),
    group("Keys of one process", KeyScope::ProcessDetail, DETAIL),
    group("Keys of the findings", KeyScope::FindingTable, FINDINGS),
    group("Keys of the flush windows", KeyScope::WindowTable, WINDOWS),
    group("Keys of one finding", KeyScope::FindingDetail, FINDING),
    group("Keys of the pin calls", KeyScope::PinCalls, PIN_CALLS),
    group("Other screens", KeyScope::Everywhere, OTHER),
    group("Rows of the processes", KeyScope::ProcessTable, TABLE_ROWS),
    group("Rows of the findings", KeyScope::FindingTable, FINDINGS_ROWS),
];

const ENTER: BoundKey = BoundKey::code(KeyCode::Enter);
const TAB: BoundKey = BoundKey::code(KeyCode::Tab);

const GENERAL: &[Binding] = &[
    bind('q', Action::Quit, "quit")
        .or(BoundKey::control('c'))
        .hint("quit"),
    special(KeyCode::Esc, Action::Back, "go back, clear the filter, or quit"),
    bind('?', Action::Help, "show or hide this help")
        .or(BoundKey::code(KeyCode::F(1)))
        .hint("help"),
    special(KeyCode::Down, Action::Move(1), "one line down").or(BoundKey::char('j')),
    special(KeyCode::Up, Action::Move(-1), "one line up").or(BoundKey::char('k')),
    special(KeyCode::PageDown, Action::Page(1), "one screen down").or(BoundKey::control('f')),
    special(KeyCode::PageUp, Action::Page(-1), "one screen up").or(BoundKey::control('b')),
    special(KeyCode::Home, Action::First, "to the first line, and stay there").or(BoundKey::char('g')),
    special(KeyCode::End, Action::Last, "to the last line").or(BoundKey::char('G')),
];

const TABLE: &[Binding] = &[
    Binding::new(ENTER, Action::Open, "extents, stacks and threads of the process").hint("detail"),
    bind(
        '/',
        Action::Filter,
        "filter by a word or a query: oldest > 5m; Tab completes",
    )
    .hint("filter"),
];

const DETAIL: &[Binding] = &[
    Binding::new(ENTER, Action::Back, "back to the processes").hint("back"),
    Binding::new(TAB, Action::Switch, "extents or threads").hint("switch"),
];

const FINDINGS: &[Binding] = &[
    Binding::new(
        ENTER,
        Action::Open,
        "all of the finding, with both stacks and advice",
    )
    .hint("detail"),
    Binding::new(
        TAB,
        Action::Switch,
        "flush windows: write protections that wait for their TLB flush",
    )
    .hint("windows"),
    bind(
        '/',
        Action::Filter,
        "filter by a word or a query: severity = alarm; Tab completes",
    )
    .hint("filter"),
];

const WINDOWS: &[Binding] = &[
    Binding::new(TAB, Action::Switch, "back to the findings").hint("findings"),
    bind(
        '/',
        Action::Filter,
        "filter by a word or a query: max > 1ms; Tab completes",
    )
    .hint("filter"),
];

const FINDING: &[Binding] = &[Binding::new(ENTER, Action::Back, "back to the findings").hint("back")];

const PIN_CALLS: &[Binding] = &[
    bind(
        '/',
        Action::Filter,
        "filter by a word or a query: call_p99 > 1s; Tab completes",
    )
    .hint("filter"),
    bind('e', Action::Ended, "show or hide processes that have ended").hint("ended"),
];

const OTHER: &[Binding] = &[
    bind('f', Action::Findings, "show or hide findings and flush windows").hint("findings"),
    bind(
        'P',
        Action::PinCalls,
        "show or hide the pin calls: how long they take, which are in flight, which fail",
    )
    .hint("pin calls"),
    bind('z', Action::Freeze, "freeze or resume the display")
        .or(BoundKey::char(' '))
        .hint("freeze"),
    bind(
        'u',
        Action::OwnCost,
        "show or hide the own cost: what pintrace itself uses",
    )
    .hint("own cost"),
    Binding::new(BoundKey::control('z'), Action::Suspend, "suspend; fg continues"),
];

const TABLE_ROWS: &[Binding] = &[
    bind(
        'e',
        Action::Ended,
        "show or hide ended processes that hold nothing",
    )
    .hint("ended"),
    sort('p', "pages_held", "by pages held"),
    sort('b', "bytes_held", "by bytes held"),
    sort('l', "longterm_share", "by share of long-term pins"),
    sort('a', "acquired_per_second", "by pages acquired per second"),
    sort('r', "released_per_second", "by pages released per second"),
    sort('o', "oldest", "by the oldest pin"),
    sort('n', "comm", "by command name"),
    sort('i', "pid", "by pid"),
    sort('s', "subsystem", "by main subsystem"),
    bind('R', Action::Reverse, "reverse the order"),
];

const FINDINGS_ROWS: &[Binding] = &[
    sort('s', "severity", "worst first, then latest first"),
    sort('t', "last", "latest first"),
    sort('p', "pages", "by pages"),
    sort('c', "count", "by number of times"),
    sort('d', "kind", "by kind of finding"),
    sort('a', "address", "by address"),
    sort('n', "comm", "by command name"),
    sort('i', "pid", "by pid"),
    bind('R', Action::Reverse, "reverse the order"),
];

const fn group(title: &'static str, scope: KeyScope, bindings: &'static [Binding]) -> BindingGroup {
    BindingGroup {
        title,
        scope,
        bindings,
    }
}

const fn bind(key: char, action: Action, help: &'static str) -> Binding {
    Binding::new(BoundKey::char(key), action, help)
}

const fn special(key: KeyCode, action: Action, help: &'static str) -> Binding {
    Binding::new(BoundKey::code(key), action, help)
}

const fn sort(key: char, column: &'static str, help: &'static str) -> Binding {
    bind(key, Action::Sort(column), help)
}
