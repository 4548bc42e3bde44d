//! Extracts the uncompressed `vmlinux` from a `vmlinuz` (Linux boot protocol,
//! Documentation/arch/x86/boot.rst).

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::process;

const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// The magic number of an `Image` for 64-bit Arm, and its place (Documentation/arch/arm64/booting.rst).
const ARM_MAGIC: &[u8] = b"ARMd";
const ARM_MAGIC_PLACE: usize = 0x38;

/// Makes the file `kernel`, which QEMU boots, from the image file. Debian does not compress images for 64-bit Arm.
pub(crate) fn obtain(image: &Path, kernel: &Path) -> Result<()> {
    let content = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    if is_arm(&content) {
        fs::write(kernel, content).with_context(|| format!("cannot write {}", kernel.display()))
    } else {
        extract(image, kernel)
    }
}

fn is_arm(image: &[u8]) -> bool {
    image.get(ARM_MAGIC_PLACE..ARM_MAGIC_PLACE + ARM_MAGIC.len()) == Some(ARM_MAGIC)
}

/// Extracts the kernel from the image file (`vmlinuz`) into the file `kernel` (`vmlinux`).
fn extract(image: &Path, kernel: &Path) -> Result<()> {
    let content = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let stream = payload(&content).with_context(|| format!("{} is no bzImage", image.display()))?;
    let (tool, options): (&str, &[&str]) = match stream {
        [0xfd, b'7', b'z', ..] => ("xz", &["-dc", "--single-stream"]),
        [0x02, 0x21, 0x4c, 0x18, ..] => ("lz4", &["-dc"]),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", &["-dcq"]),
        _ => bail!("{} has an unknown compression", image.display()),
    };
    // The kernel's build appends the uncompressed size to the stream, which the tools would report as damage.
    let stream = &stream[..stream.len() - 4];
    let mut input = tempfile::tempfile().context("cannot write a temporary file")?;
    input.write_all(stream)?;
    input.seek(SeekFrom::Start(0))?;
    let output = File::create(kernel).with_context(|| format!("cannot write {}", kernel.display()))?;
    process::run(
        process::program(tool)
            .args(options)
            .stdin(Stdio::from(input))
            .stdout(output),
    )?;
    if !fs::read(kernel)?.starts_with(b"\x7fELF") {
        bail!("{} contains no ELF kernel", image.display());
    }
    Ok(())
}

/// Returns the compressed kernel in the image.
fn payload(image: &[u8]) -> Option<&[u8]> {
    if image.get(MAGIC..MAGIC + 4)? != b"HdrS" {
        return None;
    }
    let sectors = match *image.get(SETUP_SECTORS)? {
        0 => 4,
        count => usize::from(count),
    };
    let start = (sectors + 1) * 512 + word(image, PAYLOAD_OFFSET)?;
    let payload = image.get(start..start.checked_add(word(image, PAYLOAD_LENGTH)?)?)?;
    (payload.len() > 4).then_some(payload)
}

fn word(image: &[u8], offset: usize) -> Option<usize> {
    let bytes = image.get(offset..offset + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_found_behind_the_setup_sectors() {
        let mut image = vec![0; 1024];
        image[SETUP_SECTORS] = 1;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[PAYLOAD_OFFSET] = 16;
        image[PAYLOAD_LENGTH] = 8;
        image.extend([0; 16]);
        image.extend(b"\xfd7zXsize");
        assert_eq!(payload(&image), Some(&b"\xfd7zXsize"[..]));
        image.truncate(1030);
        assert_eq!(payload(&image), None);
    }

    #[test]
    fn an_image_for_arm_is_taken_as_it_is() {
        let mut image = vec![0; 64];
        assert!(!is_arm(&image) && !is_arm(b"short"));
        image[ARM_MAGIC_PLACE..].copy_from_slice(b"ARMd\0\0\0\0");
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["vmlinuz", "vmlinux"].map(|name| folder.path().join(name));
        fs::write(&from, &image).unwrap();
        obtain(&from, &to).unwrap();
        assert_eq!(fs::read(to).unwrap(), image);
    }

    #[test]
    fn a_file_that_is_no_image_is_rejected() {
        assert_eq!(payload(b"not a kernel"), None);
    }
}
