//! How many files a node may have open: each connection takes one.

use super::finding::{Area, Finding};
use crate::app::{raise_file_limit, workers};
use crate::line;
use crate::settings::Settings;

/// A node for fewer connections than this is for trying out.
const FEW: usize = 1_000;

pub(super) fn findings(settings: &Settings) -> Vec<Finding> {
    vec![of(raise_file_limit(), workers(settings), settings.server.max_connections)]
}

fn of(files: u64, threads: usize, wanted: usize) -> Finding {
    let places = line::bound(files, threads);
    let found = format!("{files} files may be open, for {places} connections");
    let advice = "raise the hard limit (ulimit -Hn; LimitNOFILE of systemd) to a quarter more than the connections";
    let few = |means: String| {
        Finding::warning("descriptors_few", Area::Descriptors, "open files", found.clone(), means, advice)
    };
    if wanted > places {
        return few(format!("server.max_connections ({wanted}) cannot be reached"));
    }
    if wanted == 0 && places < FEW {
        return few("more are told to come back".into());
    }
    Finding::ok("descriptors_ok", Area::Descriptors, "open files", found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_files_for_what_is_wanted_are_told() {
        assert_eq!(of(100_000, 2, 0).code, "descriptors_ok");
        assert_eq!(of(100_000, 2, 50_000).code, "descriptors_ok");
        let few = of(1_024, 2, 0);
        assert_eq!((few.code, few.means.as_str()), ("descriptors_few", "more are told to come back"));
        assert!(of(1_024, 2, 2_000).means.contains("server.max_connections (2000)"));
        assert_eq!(of(1_024, 2, 500).code, "descriptors_ok", "as many as are wanted");
    }
}
