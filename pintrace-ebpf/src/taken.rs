//! What taking pins off a folio comes to, as one number: global functions give no more.

/// What became of pins that were to be taken off a folio, as one number.
#[derive(Clone, Copy)]
pub struct Taken(pub u64);

impl Taken {
    /// One holder had them all, and its figures are still to be lowered: its id lies in the upper half.
    const OWED: u64 = 1 << 31;
    /// That holder has none left on the folio.
    const LET_GO: u64 = 1 << 30;
    /// How many nobody held.
    const LEFT: u64 = Self::LET_GO - 1;

    /// So many were nobody's.
    #[inline(always)]
    pub fn nobodys(pins: u64) -> Self {
        Self(if pins > Self::LEFT { Self::LEFT } else { pins })
    }

    #[inline(always)]
    pub fn owed_by(holder: u32, let_go: bool) -> Self {
        let let_go = if let_go { Self::LET_GO } else { 0 };
        Self(u64::from(holder) << 32 | Self::OWED | let_go)
    }

    /// How many pins nobody held.
    #[inline(always)]
    pub fn left(self) -> u64 {
        self.0 & Self::LEFT
    }

    /// Whose figures are still to be lowered, by all the pins.
    #[inline(always)]
    pub fn owed(self) -> Option<u32> {
        if self.0 & Self::OWED == 0 {
            return None;
        }
        Some((self.0 >> 32) as u32)
    }

    /// Whether that holder has none left on the folio.
    #[inline(always)]
    pub fn let_go(self) -> bool {
        self.0 & Self::LET_GO != 0
    }
}
