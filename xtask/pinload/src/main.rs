//! Pins.
fn main() {}
