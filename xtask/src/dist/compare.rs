//! Compares two builds of the same release.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// Prints for each file whether both builds have the same bytes. Returns true if all files are equal.
pub(super) fn print(first: &[PathBuf], second: &[PathBuf]) -> Result<bool> {
    let mut all_equal = first.len() == second.len();
    for (one, two) in first.iter().zip(second) {
        let read = |file: &PathBuf| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
        let difference = difference(&read(one)?, &read(two)?);
        match difference {
            None => println!("same in both builds: {}", super::name(one)),
            Some(place) => {
                all_equal = false;
                println!("differs from byte {place} on: {}", super::name(one));
            }
        }
    }
    Ok(all_equal)
}

/// Returns the first byte that differs.
fn difference(one: &[u8], two: &[u8]) -> Option<usize> {
    let place = one.iter().zip(two).position(|(one, two)| one != two);
    place.or_else(|| (one.len() != two.len()).then(|| one.len().min(two.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found_at_its_place() {
        assert_eq!(difference(b"abc", b"abc"), None);
        assert_eq!(difference(b"abc", b"abd"), Some(2));
        assert_eq!(difference(b"abc", b"abcd"), Some(3));
    }

    #[test]
    fn equal_builds_pass_and_different_ones_fail() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            file
        };
        let (a, same, other) = (file("a", "x"), file("b", "x"), file("c", "y"));
        let first = [a];
        assert!(print(&first, &[same]).unwrap());
        assert!(!print(&first, &[other]).unwrap());
        assert!(!print(&first, &[]).unwrap());
    }
}
