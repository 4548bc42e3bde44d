//! The folded and the zoomed part of a tree.

use std::collections::BTreeSet;

/// What a view shows of a tree. Nodes are named by their paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct TreeState {
    /// The nodes whose children are hidden.
    folded: BTreeSet<String>,
    /// The only node that is shown, with the nodes inside it.
    zoomed: Option<String>,
}

impl TreeState {
    /// Returns true if the children of a node are hidden.
    pub(crate) fn is_folded(&self, path: &str) -> bool {
        self.folded.contains(path)
    }

    /// Hides or shows the children of a node.
    pub(crate) fn set_folded(&mut self, path: &str, folded: bool) {
        if folded {
            self.folded.insert(path.to_owned());
        } else {
            self.folded.remove(path);
        }
    }

    /// Returns the node that is shown alone.
    pub(crate) fn zoomed(&self) -> Option<&str> {
        self.zoomed.as_deref()
    }

    /// Shows a node alone, with the nodes inside it; `None` shows the whole tree. Returns false if nothing changed.
    pub(crate) fn zoom(&mut self, path: Option<&str>) -> bool {
        let path = path.map(ToOwned::to_owned);
        let changed = self.zoomed != path;
        self.zoomed = path;
        changed
    }
}
