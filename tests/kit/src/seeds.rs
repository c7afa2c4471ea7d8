//! The seeds of the fuzz targets, for the tests that play them without a fuzzer.

use std::fs;
use std::path::Path;

/// Beginnings of a seed that are played, at most.
const BEGINNINGS: usize = 400;

/// Plays every seed of a target, and each beginning of it: most of what a fuzzer finds first is a text that ends too early.
///
/// # Panics
/// There are no seeds, or what they are played to panics: then the file is told.
pub fn play(target: &str, holds: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut played = 0;
    for entry in entries {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        let seed = fs::read(&path).expect("readable");
        (0..seed.len().min(BEGINNINGS)).for_each(|end| holds(&seed[..end]));
        holds(&seed);
        played += 1;
    }
    assert!(played > 0, "{} is empty", folder.display());
}
