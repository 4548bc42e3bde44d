//! Fields of cgroups.

use pintrace_model::field::cgroup;
use pintrace_model::views::cgroups::CgroupRow;

use super::super::row_fields::RowFields;
use super::offer;

/// cgroups, with the processes inside. A bare word matches path and container.
pub const CGROUPS: RowFields<CgroupRow> = RowFields {
    noun: "Cgroups",
    columns: &[cgroup::COLUMNS],
    aliases: &[("age", "oldest"), ("path", "cgroup")],
    words: |row, take| {
        let container = row.container.as_ref().map(ToString::to_string);
        offer(&[], &[&row.path, container.as_deref().unwrap_or_default()], take)
    },
    values: |_| Vec::new(),
};
