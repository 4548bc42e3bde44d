//! The views of `top`, in the order of their keys.

use pintrace_model::views::ViewName;

use super::queries::RowKind;

/// One view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Processes that pin.
    #[default]
    Processes,
    /// The tree of cgroups, with the containers.
    Cgroups,
    /// Open files through which memory is pinned.
    Holders,
    /// Extents of long-term pins.
    Pins,
    /// Code that pins, by call stack.
    CallSites,
    /// Findings, repeats in one row.
    Findings,
    /// Write protections that wait for their TLB flush.
    FlushWindows,
    /// Times and failures of pin calls, and the calls in flight.
    PinCalls,
    /// The balance, the losses, the hooks and the own cost.
    System,
    /// The changes of processes since the baseline.
    Changes,
}

impl View {
    /// Every view, in the order of the tabs.
    pub const ALL: [Self; 10] = [
        Self::Processes,
        Self::Cgroups,
        Self::Holders,
        Self::Pins,
        Self::CallSites,
        Self::Findings,
        Self::FlushWindows,
        Self::PinCalls,
        Self::System,
        Self::Changes,
    ];

    /// Returns the name in commands and in the configuration.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Cgroups => "cgroups",
            Self::Holders => "holders",
            Self::Pins => "pins",
            Self::CallSites => "call-sites",
            Self::Findings => "findings",
            Self::FlushWindows => "flush-windows",
            Self::PinCalls => "pin-calls",
            Self::System => "system",
            Self::Changes => "changes",
        }
    }

    /// Returns the title of the tab.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Processes => "Processes",
            Self::Cgroups => "Cgroups",
            Self::Holders => "Holders",
            Self::Pins => "Pins",
            Self::CallSites => "Call sites",
            Self::Findings => "Findings",
            Self::FlushWindows => "Flush windows",
            Self::PinCalls => "Pin calls",
            Self::System => "System",
            Self::Changes => "Changes",
        }
    }

    /// Returns the title of the tab in a narrow terminal.
    pub(crate) const fn short_title(self) -> &'static str {
        match self {
            Self::Processes => "Proc",
            Self::Cgroups => "Cgrp",
            Self::Holders => "Hold",
            Self::Pins => "Pins",
            Self::CallSites => "Sites",
            Self::Findings => "Find",
            Self::FlushWindows => "Flush",
            Self::PinCalls => "Calls",
            Self::System => "Sys",
            Self::Changes => "Chg",
        }
    }

    /// Returns the noun for one row, and for several.
    pub(crate) const fn nouns(self) -> [&'static str; 2] {
        match self {
            Self::Processes => ["process", "processes"],
            Self::Cgroups => ["cgroup", "cgroups"],
            Self::Holders => ["holder", "holders"],
            Self::Pins => ["pin", "pins"],
            Self::CallSites => ["call site", "call sites"],
            Self::Findings => ["finding", "findings"],
            Self::FlushWindows | Self::PinCalls => ["row", "rows"],
            Self::System => ["line", "lines"],
            Self::Changes => ["change", "changes"],
        }
    }

    /// Returns the kind of the rows, for queries.
    pub(crate) const fn row_kind(self) -> RowKind {
        match self {
            Self::Processes | Self::System => RowKind::Process,
            Self::Cgroups => RowKind::Cgroup,
            Self::Holders => RowKind::Holder,
            Self::Pins => RowKind::Pin,
            Self::CallSites => RowKind::CallSite,
            Self::Findings => RowKind::Finding,
            Self::FlushWindows => RowKind::Window,
            Self::PinCalls => RowKind::PinCall,
            Self::Changes => RowKind::Change,
        }
    }

    /// Returns the digit of the key that shows the view.
    #[must_use]
    pub fn digit(self) -> char {
        // 0 is the last digit of the keyboard.
        let digits = ('1'..='9').chain(['0']);
        let mut tabs = digits.zip(Self::ALL);
        tabs.find_map(|(digit, view)| (view == self).then_some(digit))
            .unwrap_or('1')
    }

    /// Returns the view that is `steps` tabs to the right, around the end.
    pub(crate) fn beside(self, steps: isize) -> Self {
        let views = Self::ALL.len();
        let index = Self::ALL.iter().position(|view| *view == self).unwrap_or(0);
        let steps = usize::try_from(steps.rem_euclid(views.cast_signed())).unwrap_or(0);
        Self::ALL[(index + steps) % views]
    }
}

impl From<ViewName> for View {
    fn from(name: ViewName) -> Self {
        match name {
            ViewName::Processes => Self::Processes,
            ViewName::Cgroups => Self::Cgroups,
            ViewName::Holders => Self::Holders,
            ViewName::Pins => Self::Pins,
            ViewName::CallSites => Self::CallSites,
            ViewName::Findings => Self::Findings,
            ViewName::FlushWindows => Self::FlushWindows,
            ViewName::PinCalls => Self::PinCalls,
            ViewName::System => Self::System,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_the_title_of_its_tab() {
        for name in ViewName::ALL {
            let title = View::from(name).title().to_lowercase();
            assert_eq!(name.as_str(), title.replace(' ', "-"));
        }
        assert!(
            ViewName::ALL.map(View::from).iter().eq(&View::ALL[..9]),
            "order of the tabs"
        );
    }

    #[test]
    fn the_tabs_form_a_ring() {
        assert_eq!(View::Processes.beside(-1), View::Changes);
        assert_eq!(View::Changes.beside(1), View::Processes);
        assert_eq!(View::Pins.beside(0), View::Pins);
        assert_eq!(View::Pins.digit(), '4');
    }
}
