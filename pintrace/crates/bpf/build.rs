//! Builds the eBPF programs.

use std::error::Error;
use std::fs;
use std::path::Path;

use object::build::elf::{Builder, Section, SectionData};
use object::elf::SHT_STRTAB;

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

/// The objects that aya-build puts into the folder of the output.
const OBJECTS: [&str; 3] = ["pintrace", "pintrace-without-bpf-loop", "pintrace-scan"];

/// Removes DWARF from an object. The BTF, which the kernel needs, stays. DWARF is four fifths of an object, and aya reads
/// its 120,000 relocations at each start.
fn strip(path: &Path) -> Result<(), Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let mut object = Builder::read(bytes.as_slice())?;
    let is_dwarf = |name: &[u8]| name.starts_with(b".debug_") || name.starts_with(b".rel.debug_");
    let dwarf = object.sections.iter().filter(|section| is_dwarf(&section.name));
    let dwarf: Vec<_> = dwarf.map(Section::id).collect();
    for symbol in &mut object.symbols {
        symbol.delete = symbol.section.is_some_and(|section| dwarf.contains(&section));
    }
    for id in dwarf {
        object.sections.get_mut(id).delete = true;
    }
    object.delete_orphans();
    // LLVM keeps the names of sections with those of symbols; the writer needs a section of their own.
    let names = object.sections.add();
    names.name = b".shstrtab".as_slice().into();
    names.sh_type = SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
    let mut stripped = Vec::new();
    object.write(&mut stripped)?;
    Ok(fs::write(path, stripped)?)
}

fn main() -> Result<(), Box<dyn Error>> {
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
    let output = std::env::var("OUT_DIR")?;
    for object in OBJECTS {
        strip(&Path::new(&output).join(object)).map_err(|error| format!("{object}: {error}"))?;
    }
    println!("cargo:rerun-if-changed=../../../pintrace-common");
    Ok(())
}
