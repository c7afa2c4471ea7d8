#!/usr/bin/env bash
# Runs the browser tests against the program of the dev profile. Further arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

# As `cargo test` builds it, after which there is nothing to do: `cargo build` would build dependencies anew, without the
# features that tests ask of them.
cargo test --workspace --locked --no-run --quiet
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
SOPHIE_BIN="$target/debug/sophie" exec .venv/bin/python -m pytest -p no:cacheprovider tests/browser "$@"
