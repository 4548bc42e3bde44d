//! Extents: ranges of user memory that long-term pins hold.

use serde::{Deserialize, Serialize};

use crate::units::{AccountId, ExtentId, Pid, StackId};
use crate::{AddressSpaceId, MmId};

/// A new long-term extent. The totals of its account include its pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtentOpened {
    /// Id of the extent.
    pub extent: ExtentId,
    /// Account that pinned the extent.
    pub account: AccountId,
    /// User address of the first page.
    pub address: u64,
    /// User address after the last page.
    pub end: u64,
    /// Pages pinned.
    pub pages: u64,
    /// Bytes that the pins keep in place: whole folios.
    pub bytes_held: u64,
    /// `gup_flags` as the caller gave them.
    pub flags: u32,
    /// Stack of the pin call.
    pub stack: Option<StackId>,
    /// The mm of `address`; 0 if the source does not say.
    pub mm: MmId,
    /// The file of the first page; 0 for anonymous memory.
    pub address_space: AddressSpaceId,
    /// Offset of the first page in the file, in bytes.
    pub file_offset: u64,
    /// The open file on which the system call pinned; 0 if the call has none, or if the source does not say.
    #[serde(default, skip_serializing_if = "FileId::is_none")]
    pub file: FileId,
    /// The descriptor of that file in the process at the time of the system call; `None` if unknown, as for a registered
    /// ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<u32>,
}

/// Identity of an open file: the address of its `struct file`. The kernel uses the address again for another file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileId(pub u64);

impl FileId {
    /// Returns true if there is no file.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0 == 0
    }
}

/// The state of an open extent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtentSampled {
    /// Id of the extent.
    pub extent: ExtentId,
    /// User address after the last page. Later pin calls may have grown the extent.
    pub end: u64,
    /// Pages pinned in all.
    pub pages: u64,
    /// Pages held now.
    pub pages_held: u64,
    /// Bytes that the pins keep in place now.
    pub bytes_held: u64,
    /// Stack of the pin call, if it arrived after [`ExtentOpened`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackId>,
}

/// Less is known about an extent than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtentMarked {
    /// Id of the extent.
    pub extent: ExtentId,
    /// Some pages were released. Which pages are left is not known.
    pub partially_released: bool,
    /// A rule chose this extent among several owners of the released page. The number of pages left is not certain.
    pub ambiguous_owner: bool,
    /// The pin call covered too many mappings of different files: pages may belong to another file than the first page.
    #[serde(default, skip_serializing_if = "is_false")]
    pub areas_unknown: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The end of an extent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtentClosed {
    /// Id of the extent.
    pub extent: ExtentId,
    /// Pages pinned in all.
    pub pages: u64,
    /// User address after the last page.
    pub end: u64,
    /// Process that was running when the last page was released: an unrelated process if an interrupt released it.
    pub by: Pid,
}
