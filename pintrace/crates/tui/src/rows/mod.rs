//! The rows of each table.

mod call_site;
mod cgroup;
mod change;
mod figures;
mod finding;
mod finding_detail;
mod flush_window;
mod graph;
mod hold_times;
mod holder;
mod pin;
mod pin_call;
mod process;
mod process_detail;

pub(crate) use call_site::CallSiteTableRow;
pub(crate) use cgroup::CgroupTableRow;
pub(crate) use change::ChangeTableRow;
pub(crate) use finding::FindingTableRow;
pub(crate) use flush_window::WindowTableRow;
pub(crate) use holder::HolderTableRow;
pub(crate) use pin::PinTableRow;
pub(crate) use pin_call::PinCallTableRow;
pub(crate) use process::ProcessTableRow;
