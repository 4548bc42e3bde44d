//! Finds the shared libraries that dynamic binaries need, without running the binaries.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use goblin::elf::Elf;

use crate::process;

/// The default library folder of a guest's loader.
const GUEST_LIBRARIES: &str = "lib/x86_64-linux-gnu";

/// The path of each library, by name.
pub(crate) type LibraryIndex = HashMap<String, PathBuf>;

/// Returns the libraries of this machine, as its loader lists them.
pub(crate) fn of_this_machine() -> Result<LibraryIndex> {
    let text = process::stdout(process::program("ldconfig").arg("-p"))?;
    let lines = text.lines().filter(|line| line.contains("x86-64"));
    Ok(lines
        .filter_map(|line| {
            let (name, path) = line.split_once(" => ")?;
            Some((name.split_whitespace().next()?.to_owned(), PathBuf::from(path)))
        })
        .collect())
}

/// Returns every library below a folder.
pub(crate) fn below(folder: &Path) -> Result<LibraryIndex> {
    let mut index = LibraryIndex::new();
    for file in files(folder)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.contains(".so") && file.is_file() {
            index.insert(name.into_owned(), file);
        }
    }
    Ok(index)
}

/// Returns all files in a folder and its subfolders (or the file itself), links included.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let kind = fs::symlink_metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !kind.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut all = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        all.extend(files(&entry?.path())?);
    }
    Ok(all)
}

/// Returns the loader and libraries that files need directly or indirectly: guest path (without leading `/`) to file.
/// Fails if a library is missing.
pub(crate) fn needed(binaries: &[PathBuf], index: &LibraryIndex) -> Result<BTreeMap<String, PathBuf>> {
    let (found, missing) = found_and_missing(binaries, index)?;
    match missing.first() {
        None => Ok(found),
        Some(missing) => bail!("{missing}"),
    }
}

/// A library that was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingLibrary {
    /// The file name of the program or library that needs the library.
    pub(crate) user: String,
    /// The name of the library.
    pub(crate) library: String,
}

impl fmt::Display for MissingLibrary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} needs the library {}, which was not found",
            self.user, self.library
        )
    }
}

/// Returns the loader and libraries that files need, as [`needed`] does, and the libraries that are missing.
pub(crate) fn found_and_missing(
    binaries: &[PathBuf],
    index: &LibraryIndex,
) -> Result<(BTreeMap<String, PathBuf>, Vec<MissingLibrary>)> {
    let mut found = BTreeMap::new();
    let mut missing = Vec::new();
    let mut queue = binaries.to_vec();
    while let Some(file) = queue.pop() {
        let Some(needs) = needs(&file)? else { continue };
        if let Some(loader) = needs.loader {
            let name = loader.rsplit('/').next().unwrap_or_default().to_owned();
            let source = index
                .get(&name)
                .cloned()
                .unwrap_or_else(|| PathBuf::from(&loader));
            found.insert(loader.trim_start_matches('/').to_owned(), source);
        }
        for name in needs.libraries {
            let guest = format!("{GUEST_LIBRARIES}/{name}");
            if found.contains_key(&guest) || name.starts_with("ld-linux") {
                continue;
            }
            let beside = needs
                .folders
                .iter()
                .map(|folder| folder.join(&name))
                .find(|path| path.is_file());
            let Some(source) = beside.or_else(|| index.get(&name).cloned()) else {
                missing.push(MissingLibrary {
                    user: file
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned(),
                    library: name,
                });
                continue;
            };
            found.insert(guest, source.clone());
            queue.push(source);
        }
    }
    Ok((found, missing))
}

struct ElfDependencies {
    loader: Option<String>,
    libraries: Vec<String>,
    folders: Vec<PathBuf>,
}

/// Returns the dependencies of a dynamic ELF file; `None` for any other file.
fn needs(file: &Path) -> Result<Option<ElfDependencies>> {
    let Ok(real) = fs::canonicalize(file) else {
        return Ok(None);
    };
    // A link to a folder.
    if real.is_dir() {
        return Ok(None);
    }
    let content = fs::read(&real).with_context(|| format!("cannot read {}", file.display()))?;
    if !content.starts_with(b"\x7fELF") {
        return Ok(None);
    }
    let Ok(elf) = Elf::parse(&content) else {
        return Ok(None);
    };
    let origin = real.parent().unwrap_or(Path::new("/")).to_string_lossy();
    let paths = elf
        .runpaths
        .iter()
        .chain(&elf.rpaths)
        .flat_map(|list| list.split(':'));
    Ok(Some(ElfDependencies {
        loader: elf.interpreter.map(str::to_owned),
        libraries: elf.libraries.iter().map(|&name| name.to_owned()).collect(),
        folders: paths
            .map(|path| PathBuf::from(path.replace("$ORIGIN", &origin)))
            .collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_binary_needs_its_loader_and_libraries() {
        let this = std::env::current_exe().unwrap();
        let found = needed(&[this], &of_this_machine().unwrap()).unwrap();
        assert!(found.contains_key("lib64/ld-linux-x86-64.so.2"), "{found:?}");
        assert!(found.contains_key("lib/x86_64-linux-gnu/libc.so.6"), "{found:?}");
    }

    #[test]
    fn a_missing_library_is_named() {
        let this = std::env::current_exe().unwrap();
        let error = needed(&[this], &LibraryIndex::new()).unwrap_err().to_string();
        assert!(
            error.contains("libc.so.6") || error.contains("libgcc_s"),
            "{error}"
        );
    }

    #[test]
    fn missing_libraries_are_listed_and_the_others_found() {
        let this = std::env::current_exe().unwrap();
        let mut index = of_this_machine().unwrap();
        index.remove("libc.so.6");
        let (found, missing) = found_and_missing(std::slice::from_ref(&this), &index).unwrap();
        assert!(found.contains_key("lib64/ld-linux-x86-64.so.2"), "{found:?}");
        let name = this.file_name().unwrap().to_string_lossy();
        assert!(
            missing
                .iter()
                .any(|one| one.user == name && one.library == "libc.so.6"),
            "{missing:?}"
        );
        assert!(
            missing.iter().all(|one| !one.to_string().contains('/')),
            "{missing:?}"
        );
    }

    #[test]
    fn a_script_needs_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "#!/bin/sh\n").unwrap();
        assert!(
            needed(&[file.path().to_owned()], &LibraryIndex::new())
                .unwrap()
                .is_empty()
        );
    }
}
