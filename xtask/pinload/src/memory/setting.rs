//! Kernel settings that pinload changes during a run (`--reserve`), and restores.

use std::fs;

use super::HUGE;
use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};

const HUGETLB: &str = "/proc/sys/vm/nr_hugepages";
const THP: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const SHARED_THP: &str = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
const REMEDY: &str = "run --reserve as root, and with enough free memory";

/// A changed setting of the kernel, restored when dropped. A kill of pinload from outside leaves the change
/// in place.
#[derive(Debug)]
pub(crate) enum KernelSetting {
    /// Pages added to `nr_hugepages`.
    Hugetlb { pages: usize },
    /// The previous word of a file.
    Word { file: &'static str, before: String },
}

impl KernelSetting {
    /// Writes `word` into a file that holds one word.
    pub(crate) fn word(file: &'static str, word: &str) -> Result<Self> {
        const REMEDY: &str = "run as root, on a kernel that has this file";
        let before = fs::read_to_string(file).unavailable(&format!("cannot read {file}"), REMEDY)?;
        fs::write(file, word).unavailable(&format!("cannot write {file}"), REMEDY)?;
        Ok(Self::Word {
            file,
            before: before.trim().to_owned(),
        })
    }
}

/// Makes the settings that `backing` needs for `bytes`. hugetlb needs twice the pages, because a fork and a change of
/// pinned pages need copies.
pub(super) fn for_backing(backing: Backing, bytes: usize) -> Result<Vec<KernelSetting>> {
    match backing {
        Backing::Small => Ok(Vec::new()),
        Backing::Thp => {
            let private = allow(THP, &["never"], "madvise")?;
            let shared = allow(SHARED_THP, &["never", "deny"], "advise")?;
            Ok(private.into_iter().chain(shared).collect())
        }
        Backing::Hugetlb => Ok(vec![add_hugetlb(2 * bytes / HUGE)?]),
    }
}

fn add_hugetlb(pages: usize) -> Result<KernelSetting> {
    let before = hugetlb_pages()?;
    fs::write(HUGETLB, (before + pages).to_string())
        .unavailable(&format!("cannot write {HUGETLB}"), REMEDY)?;
    let after = hugetlb_pages()?;
    let setting = KernelSetting::Hugetlb {
        pages: after.saturating_sub(before),
    };
    if after < before + pages {
        let wanted = before + pages;
        return Err(Failure::unavailable(
            format!("the kernel reserved {after} of {wanted} huge pages"),
            REMEDY,
        ));
    }
    Ok(setting)
}

/// Writes `word` if one of `closed` is selected.
fn allow(file: &'static str, closed: &[&str], word: &str) -> Result<Option<KernelSetting>> {
    let text =
        fs::read_to_string(file).unavailable(&format!("cannot read {file}"), "use a kernel with THP")?;
    let Some(before) = chosen(&text).filter(|before| closed.contains(before)) else {
        return Ok(None);
    };
    fs::write(file, word).unavailable(&format!("cannot write {file}"), REMEDY)?;
    Ok(Some(KernelSetting::Word {
        file,
        before: before.to_owned(),
    }))
}

/// Returns the word in brackets.
fn chosen(text: &str) -> Option<&str> {
    text.split_once('[')?.1.split_once(']').map(|(word, _)| word)
}

fn hugetlb_pages() -> Result<usize> {
    let text = fs::read_to_string(HUGETLB).unavailable(&format!("cannot read {HUGETLB}"), REMEDY)?;
    text.trim().parse().map_err(|_| {
        Failure::failed(
            format!("{HUGETLB} contains {text:?}, which is no number"),
            "report this as a bug",
        )
    })
}

impl Drop for KernelSetting {
    fn drop(&mut self) {
        // After an error, the administrator has to restore the setting.
        match self {
            Self::Hugetlb { pages } => {
                if let Ok(now) = hugetlb_pages() {
                    // Pages that are still in use become surplus pages, which the kernel removes when they are freed.
                    let _ = fs::write(HUGETLB, now.saturating_sub(*pages).to_string());
                }
            }
            Self::Word { file, before } => {
                let _ = fs::write(file, before);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_word_is_in_brackets() {
        assert_eq!(
            chosen("always within_size advise [never] deny force\n"),
            Some("never")
        );
        assert_eq!(chosen("never"), None);
    }
}
