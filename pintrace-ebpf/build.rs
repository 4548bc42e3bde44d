//! Asks the linker for an instruction set with atomic operations that return a value. Kernels since 5.12 have the
//! instruction set.

fn main() {
    println!("cargo:rustc-link-arg-bins=--cpu-features=+alu32");
    println!("cargo:rerun-if-changed=build.rs");
}
