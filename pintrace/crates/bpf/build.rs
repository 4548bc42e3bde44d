//! Builds the eBPF programs.

/// Returns the flags of the compiler of the eBPF programs. The paths of this machine are replaced as in the program that
/// embeds the objects, because the BTF of the objects names source files.
fn rustflags() -> String {
    println!("cargo:rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let outer = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let remaps = outer
        .split('\x1f')
        .filter(|flag| flag.starts_with("--remap-path-prefix="));
    let flags: Vec<&str> = std::iter::once("-Ctarget-cpu=v3").chain(remaps).collect();
    flags.join(" ")
}

fn main() -> aya_build::Result<()> {
    // The programs need core for a BPF target, which a stable toolchain builds only with RUSTC_BOOTSTRAP.
    // Without CARGO_TERM_QUIET, the progress of the inner cargo would appear as warnings of this package.
    // SAFETY: the build script has a single thread.
    unsafe {
        std::env::set_var("RUSTC_BOOTSTRAP", "1");
        std::env::set_var("CARGO_TERM_QUIET", "true");
        // The instruction set that kernels have since 5.12: 32-bit arithmetic and comparisons, and atomic operations that
        // return a value. Without it, each comparison of 32-bit numbers takes five instructions more. aya-build takes no
        // flags for the compiler, but the inner cargo takes them from the profile.
        std::env::set_var("CARGO_UNSTABLE_PROFILE_RUSTFLAGS", "true");
        std::env::set_var("CARGO_PROFILE_RELEASE_RUSTFLAGS", rustflags());
        std::env::set_var("CARGO_PROFILE_RELEASE_BUILD_OVERRIDE_RUSTFLAGS", "");
    }
    let mut features = Vec::new();
    if cfg!(feature = "bpf-log") {
        features.push("bpf-log");
    }
    if cfg!(feature = "bench") {
        features.push("bench");
    }
    aya_build::build_ebpf(
        [aya_build::Package {
            name: "pintrace-ebpf",
            root_dir: "../../../pintrace-ebpf",
            no_default_features: false,
            features: &features,
        }],
        aya_build::Toolchain::Custom("1.95.0"),
    )?;
    println!("cargo:rerun-if-changed=../../../pintrace-common");
    Ok(())
}
