//! Asks the linker for an instruction set with atomic operations that return a value: every kernel
//! since 5.12 has them.

fn main() {
    println!("cargo:rustc-link-arg-bins=--cpu-features=+alu32");
    println!("cargo:rerun-if-changed=build.rs");
}
