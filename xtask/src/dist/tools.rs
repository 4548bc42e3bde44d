//! The tools of `dist`, at pinned versions. `cargo xtask setup` does not install them, because only a release needs them.

use anyhow::Result;

use crate::setup;
use crate::vm::architecture::Architecture;

/// Tools from crates.io with their versions.
const CARGO_TOOLS: [(&str, &str); 3] = [
    ("cargo-deb", "3.8.0"),
    ("cargo-generate-rpm", "0.21.1"),
    ("cargo-cyclonedx", "0.5.9"),
];

/// Programs with their Debian packages.
const DEBIAN_TOOLS: [(&str, &str); 8] = [
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
    Architecture::of_this_machine().install_compiler()?;
    architecture.install_compiler()?;
    for (name, version) in CARGO_TOOLS {
        setup::cargo_tool(name, version)?;
    }
    Ok(())
}

/// Installs the tools that only `--check` needs.
pub(super) fn install_checkers() -> Result<()> {
    setup::programs(&[
        ("lintian", "lintian"),
        ("mmdebstrap", "mmdebstrap"),
        ("buildah", "buildah"),
    ])
}
