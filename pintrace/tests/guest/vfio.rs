//! DMA mappings of devices, in guests with devices behind an IOMMU. `cargo xtask test` gives the full flavours such
//! devices.

use crate::device_pins::{self, DeviceKind::Vfio};

#[test]
fn a_mapping_is_held_by_the_process_that_mapped_it() {
    device_pins::held("a_mapping_is_held_by_the_process_that_mapped_it", Vfio);
}

#[test]
fn preexisting_mappings_are_attributed_to_their_process_until_their_release() {
    device_pins::preexisting(
        "preexisting_mappings_are_attributed_to_their_process_until_their_release",
        Vfio,
        false,
    );
}

#[test]
fn preexisting_mappings_of_folded_hugetlb_pages_are_attributed_to_their_process() {
    device_pins::preexisting(
        "preexisting_mappings_of_folded_hugetlb_pages_are_attributed_to_their_process",
        Vfio,
        true,
    );
}

#[test]
fn a_refused_mapping_is_counted_with_the_limit_of_its_process() {
    device_pins::refused("a_refused_mapping_is_counted_with_the_limit_of_its_process", Vfio);
}
