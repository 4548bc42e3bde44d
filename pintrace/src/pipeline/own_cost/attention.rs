//! Whether someone looks at the own cost. The kernel's BPF statistics are on only then.

use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The time for which a read of /metrics counts as a look. Scrapers read at least once in this time.
const AFTER_READ: Duration = Duration::from_mins(5);

/// Shows whether someone looks at the own cost.
#[derive(Clone, Debug)]
pub enum Attention {
    /// The output that follows has the own cost.
    Always,
    /// The view is open or closed.
    View(watch::Receiver<bool>),
    /// The time of the latest read of /metrics.
    Reads(watch::Receiver<Option<Instant>>),
}

impl Attention {
    /// Returns true if someone looks.
    pub fn is_paid(&self, now: Instant) -> bool {
        match self {
            Self::Always => true,
            Self::View(open) => *open.borrow(),
            Self::Reads(latest) => latest
                .borrow()
                .is_some_and(|read| now.saturating_duration_since(read) < AFTER_READ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_counts_as_a_look_for_minutes() {
        let (read, reads) = watch::channel(None);
        let attention = Attention::Reads(reads);
        let now = Instant::now();
        assert!(!attention.is_paid(now));
        read.send_replace(Some(now));
        assert!(attention.is_paid(now) && attention.is_paid(now + AFTER_READ / 2));
        assert!(!attention.is_paid(now + AFTER_READ));
    }

    #[test]
    fn an_open_view_is_a_look_until_it_is_closed() {
        let (open, view) = watch::channel(true);
        let attention = Attention::View(view);
        assert!(attention.is_paid(Instant::now()));
        open.send_replace(false);
        assert!(!attention.is_paid(Instant::now()));
    }
}
