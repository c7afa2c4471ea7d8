//! How properties are tested.

use proptest::prelude::ProptestConfig;
use proptest::test_runner::FileFailurePersistence;

/// So many cases of the property of this name, or `PROPTEST_CASES`. What fails is written with its seed to
/// `actors/tests/regressions/NAME.txt`, and is played first from then on.
pub fn cases(name: &str, cases: u32) -> ProptestConfig {
    let file = format!("{}/../../actors/tests/regressions/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let common = ProptestConfig::default();
    ProptestConfig {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { common.cases } else { cases },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(String::leak(file)))),
        ..common
    }
}
