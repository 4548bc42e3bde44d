//! Memory regions of RDMA, in guests with software RDMA (rdma_rxe). `cargo xtask test` gives the full flavours its module.

use crate::device_pins::{self, DeviceKind::Rdma};

#[test]
fn a_region_is_held_by_the_process_that_registered_it() {
    device_pins::held("a_region_is_held_by_the_process_that_registered_it", Rdma);
}

#[test]
fn preexisting_regions_are_attributed_to_their_process_until_their_release() {
    device_pins::preexisting(
        "preexisting_regions_are_attributed_to_their_process_until_their_release",
        Rdma,
        false,
    );
}

#[test]
fn a_refused_region_is_counted_with_the_limit_of_its_process() {
    device_pins::refused("a_refused_region_is_counted_with_the_limit_of_its_process", Rdma);
}
