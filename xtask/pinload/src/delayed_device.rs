//! Block devices that complete each request in a timer interrupt after a delay (null_blk).

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc;
use nix::mount::{MsFlags, mount};

use crate::failure::{Explain, Result};

const CONFIG: &str = "/sys/kernel/config";
const REMEDY: &str = "load the module null_blk, and run as root";
/// `NULL_IRQ_TIMER`, drivers/block/null_blk/main.c.
const IN_TIMER: &str = "2";

/// A device, removed when dropped.
pub(crate) struct DelayedDevice {
    folder: PathBuf,
    path: PathBuf,
}

impl DelayedDevice {
    /// Makes a device of 64 MiB that keeps nothing: a read gives zeros.
    pub(crate) fn new(name: &str, delay: Duration) -> Result<Self> {
        Self::make(name, delay, &[("size", "64")])
    }

    /// Makes a device of `mib` MiB that keeps its contents in memory.
    pub(crate) fn in_memory(name: &str, delay: Duration, mib: u64) -> Result<Self> {
        let size = mib.to_string();
        Self::make(name, delay, &[("size", &size), ("memory_backed", "1")])
    }

    fn make(name: &str, delay: Duration, attributes: &[(&str, &str)]) -> Result<Self> {
        let nullb = Path::new(CONFIG).join("nullb");
        if !nullb.exists() {
            let flags = MsFlags::empty();
            mount(Some("configfs"), CONFIG, Some("configfs"), flags, None::<&str>)
                .unavailable("cannot mount configfs", REMEDY)?;
        }
        let folder = nullb.join(name);
        fs::create_dir(&folder).unavailable("cannot make a null_blk device", REMEDY)?;
        let mut device = Self {
            folder,
            path: PathBuf::new(),
        };
        for (attribute, value) in attributes {
            device.set(attribute, value)?;
        }
        device.set("irqmode", IN_TIMER)?;
        device.set("completion_nsec", &delay.as_nanos().to_string())?;
        device.set("power", "1")?;
        let index =
            fs::read_to_string(device.folder.join("index")).unavailable("null_blk has no index", REMEDY)?;
        // Newer kernels name the disk after the folder.
        let named = Path::new("/dev").join(name);
        device.path = if named.exists() {
            named
        } else {
            PathBuf::from(format!("/dev/nullb{}", index.trim()))
        };
        // null_blk lets a request time out after 5 seconds (`null_init_global_tag_set`, drivers/block/null_blk/main.c).
        let disk = device.path.file_name().unwrap_or_default();
        let timeout = Path::new("/sys/block").join(disk).join("queue/io_timeout");
        let ms = (delay * 2 + Duration::from_secs(30)).as_millis().to_string();
        fs::write(timeout, ms).unavailable("cannot set the timeout of a null_blk device", REMEDY)?;
        Ok(device)
    }

    /// Returns the path of the device.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the device for direct I/O.
    pub(crate) fn open(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_DIRECT);
        let opened = options.open(&self.path);
        opened.unavailable(&format!("cannot open {}", self.path.display()), REMEDY)
    }

    fn set(&self, attribute: &str, value: &str) -> Result<()> {
        fs::write(self.folder.join(attribute), value)
            .unavailable(&format!("cannot set {attribute} of a null_blk device"), REMEDY)
    }
}

impl Drop for DelayedDevice {
    fn drop(&mut self) {
        // An error leaves the device in place, which is harmless.
        let _ = self.set("power", "0");
        let _ = fs::remove_dir(&self.folder);
    }
}
