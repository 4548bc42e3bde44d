//! The names of the views, as the command line has them.

/// A view whose rows follow from one snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ViewName {
    /// Processes that pin.
    #[default]
    Processes,
    /// The tree of cgroups.
    Cgroups,
    /// Open files through which memory is pinned.
    Holders,
    /// Extents of long-term pins.
    Pins,
    /// Code that pins.
    CallSites,
    /// Folded findings.
    Findings,
    /// Write protections that wait for their TLB flush.
    FlushWindows,
    /// Times and failures of pin calls.
    PinCalls,
    /// The figures of the host and of the session.
    System,
}

impl ViewName {
    /// Every view, in the order of the tabs of the live view.
    pub const ALL: [Self; 9] = [
        Self::Processes,
        Self::Cgroups,
        Self::Holders,
        Self::Pins,
        Self::CallSites,
        Self::Findings,
        Self::FlushWindows,
        Self::PinCalls,
        Self::System,
    ];

    /// Returns the name, which never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
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
        }
    }

    /// Returns the view with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_names_its_view() {
        for view in ViewName::ALL {
            assert_eq!(ViewName::named(view.as_str()), Some(view));
        }
        assert_eq!(ViewName::named("changes"), None, "needs two snapshots");
    }
}
