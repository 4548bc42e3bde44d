//! `cargo xtask setup`: installs missing tools and prints their names.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::book::mdbook;
use crate::{process, workspace};

/// Version of the linker for BPF programs; later versions need a newer LLVM than the LLVM of the pinned compiler.
const BPF_LINKER: &str = "0.10.3";
/// Version of the checker of licences and sources.
const CARGO_DENY: &str = "0.20.2";

/// Version of the tool that builds and runs fuzz targets.
const CARGO_FUZZ: &str = "0.13.2";

/// The compiler for the C code in static binaries.
pub(crate) const MUSL_COMPILER: &str = "x86_64-linux-musl-gcc";

/// The tools that guests need: the name of the program, and the Debian package with the program.
const GUEST_TOOLS: [(&str, &str); 13] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    (MUSL_COMPILER, "musl-tools"),
    ("xz", "xz-utils"),
    ("lz4", "lz4"),
    ("zstd", "zstd"),
    ("depmod", "kmod"),
    ("mke2fs", "e2fsprogs"),
    ("setpriv", "util-linux"),
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
    ("tar", "tar"),
    ("ldconfig", "libc-bin"),
];

/// Installs the tools of all tasks.
pub(crate) fn run() -> Result<ExitCode> {
    rust()?;
    mdbook::install()?;
    bpf_linker()?;
    guests()?;
    cargo_deny()?;
    Ok(ExitCode::SUCCESS)
}

/// Installs the standard library's source, for eBPF programs, and its musl build, for guests.
pub(crate) fn rust() -> Result<()> {
    rust_part("src/rust/library/Cargo.lock", "component", "rust-src")?;
    rust_target(workspace::GUEST_TARGET)
}

/// Installs the standard library of a target.
pub(crate) fn rust_target(target: &str) -> Result<()> {
    rust_part(&format!("{target}/lib"), "target", target)
}

/// Installs a part of the toolchain unless its file is there.
fn rust_part(file: &str, kind: &str, name: &str) -> Result<()> {
    if !workspace::sysroot()?.join("lib/rustlib").join(file).exists() {
        eprintln!("xtask: installing the Rust {kind} {name}");
        let toolchain = toolchain()?;
        process::run(process::program("rustup").args([kind, "add", name, "--toolchain", &toolchain]))?;
    }
    Ok(())
}

/// Installs the linker for BPF programs at exactly the pinned version.
pub(crate) fn bpf_linker() -> Result<()> {
    cargo_tool("bpf-linker", BPF_LINKER)
}

/// Installs the emulator and the tools for guests, from Debian.
pub(crate) fn guests() -> Result<()> {
    let mut missing = missing(&GUEST_TOOLS);
    if !PathBuf::from("/usr/share/qemu/bios-microvm.bin").exists() && !missing.contains(&"qemu-system-x86") {
        missing.push("qemu-system-x86");
    }
    install(&missing)
}

/// Installs the tools of the tests on this machine. Without root, nothing is installed, and the tests that need the
/// tools are skipped.
pub(crate) fn native() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let tools = [
        ("fio", "fio"),
        (MUSL_COMPILER, "musl-tools"),
        ("man", "man-db"),
        ("groff", "groff-base"),
        ("zsh", "zsh"),
        ("fish", "fish"),
    ];
    programs(&tools)
}

/// Installs the Debian packages of the programs that are missing: the name of the program, and its package.
pub(crate) fn programs(tools: &[(&str, &str)]) -> Result<()> {
    install(&missing(tools))
}

fn missing<'a>(tools: &[(&str, &'a str)]) -> Vec<&'a str> {
    let missing = tools.iter().filter(|(program, _)| !process::exists(program));
    missing.map(|(_, package)| *package).collect()
}

/// Installs the tool that makes a root file system of Debian.
pub(crate) fn debian_root() -> Result<()> {
    if process::exists("mmdebstrap") {
        return Ok(());
    }
    install(&["mmdebstrap"])
}

/// Installs the checker of licences and sources.
pub(crate) fn cargo_deny() -> Result<()> {
    cargo_tool("cargo-deny", CARGO_DENY)
}

/// Installs the tool that builds and runs fuzz targets, and the C++ compiler for its library.
pub(crate) fn cargo_fuzz() -> Result<()> {
    rust()?;
    if !process::exists("c++") {
        install(&["g++"])?;
    }
    cargo_tool("cargo-fuzz", CARGO_FUZZ)
}

/// Installs a tool from crates.io at exactly this version.
pub(crate) fn cargo_tool(name: &str, version: &str) -> Result<()> {
    // Some subcommands of cargo take no options unless cargo runs them.
    let mut version_command = match name.strip_prefix("cargo-") {
        Some(subcommand) => workspace::cargo(&[subcommand]),
        None => process::program(name),
    };
    let found = process::stdout(version_command.arg("--version")).unwrap_or_default();
    if found.split_whitespace().any(|word| word == version) {
        return Ok(());
    }
    eprintln!("xtask: installing {name} {version} (takes some minutes)");
    let mut install = workspace::cargo(&["install", "--force", "--locked", "--version", version]);
    if !std::io::stderr().is_terminal() {
        install.arg("--quiet");
    }
    process::run(install.arg(name))
}

/// Installs Debian packages.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    if !rustix::process::geteuid().is_root() {
        bail!(
            "Debian packages are missing; install them with\n  sudo apt-get install --no-install-recommends {names}"
        );
    }
    eprintln!("xtask: installing the Debian packages {names}");
    let install = || {
        let mut command = process::program("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
            .args(["-qq", "-y", "--no-install-recommends", "install"])
            .args(packages);
        process::stdout(&mut command)
    };
    if install().is_err() {
        process::stdout(process::program("apt-get").args(["-qq", "update"]))?;
        install().with_context(|| format!("cannot install {names}"))?;
    }
    Ok(())
}

/// The toolchain that rust-toolchain.toml pins.
fn toolchain() -> Result<String> {
    let file = workspace::root().join("rust-toolchain.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let channel = text.lines().find_map(|line| line.strip_prefix("channel"));
    let quoted = channel.and_then(|rest| rest.split('"').nth(1));
    quoted
        .map(str::to_owned)
        .with_context(|| format!("{} pins no channel", file.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_pinned_toolchain_is_a_version() {
        assert!(super::toolchain().unwrap().starts_with("1."));
    }
}
