//! The tools of `dist`, at pinned versions. `cargo xtask setup` does not install them, because only a release needs them.

use std::path::Path;

use anyhow::Result;

use crate::setup;
use crate::vm::architecture::Architecture;

/// Tools from crates.io with their versions.
const CARGO_TOOLS: [(&str, &str); 3] = [
    ("cargo-deb", "3.8.0"),
    ("cargo-generate-rpm", "0.21.1"),
    ("cargo-cyclonedx", "0.5.9"),
];

/// The compiler for the C code in programs for 64-bit Arm.
pub(super) const ARM_COMPILER: &str = "aarch64-linux-gnu-gcc";

/// A header of the C library for 64-bit Arm.
const ARM_HEADERS: &str = "/usr/aarch64-linux-gnu/include/stdio.h";

/// Programs with their Debian packages.
const DEBIAN_TOOLS: [(&str, &str); 9] = [
    (setup::MUSL_COMPILER, "musl-tools"),
    ("git", "git"),
    ("tar", "tar"),
    ("xz", "xz-utils"),
    ("sha256sum", "coreutils"),
    ("dpkg-deb", "dpkg"),
    ("rpm", "rpm"),
    ("busybox", "busybox-static"),
    ("unshare", "util-linux"),
];

/// Installs the tools that make the files.
pub(super) fn install(architecture: Architecture) -> Result<()> {
    setup::rust()?;
    setup::bpf_linker()?;
    setup::programs(&DEBIAN_TOOLS)?;
    if architecture == Architecture::Arm {
        setup::rust_target(architecture.target())?;
        setup::programs(&[(ARM_COMPILER, "gcc-aarch64-linux-gnu")])?;
        if !Path::new(ARM_HEADERS).exists() {
            setup::install(&["libc6-dev-arm64-cross"])?;
        }
    }
    for (name, version) in CARGO_TOOLS {
        setup::cargo_tool(name, version)?;
    }
    Ok(())
}

/// Installs the tools that only `--check` needs.
pub(super) fn install_checkers() -> Result<()> {
    setup::programs(&[("lintian", "lintian"), ("mmdebstrap", "mmdebstrap")])
}
