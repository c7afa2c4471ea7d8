//! How long a file may be: what is longer has a second subject.

use std::fs;
use std::path::Path;

use super::{collect, is_test};

/// Lines that a file of the program may have, and a file of tests.
const PROGRAM_LINES: usize = 300;
const TEST_LINES: usize = 400;

/// The files that have too many lines, with how many they have.
fn too_long(longest: impl Fn(&str) -> usize) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "actors/src", "actors/tests", "tests", "benches"] {
        collect(&root.join(folder), &mut found);
    }
    let mut wrong = Vec::new();
    for file in found {
        let lines = fs::read_to_string(&file).expect("a text").lines().count();
        let path = file.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        if lines > longest(&path) {
            wrong.push(format!("{path} has {lines} lines"));
        }
    }
    wrong
}

#[test]
fn a_file_has_one_subject_and_so_no_more_than_three_hundred_lines_or_four_hundred_of_tests() {
    let wrong = too_long(|path| if is_test(path) { TEST_LINES } else { PROGRAM_LINES });
    assert!(wrong.is_empty(), "split by subject: {wrong:#?}");
    assert!(!too_long(|_| 10).is_empty(), "long files are found");
}
