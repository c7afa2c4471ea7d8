#!/usr/bin/env bash
# Runs the browser tests against the program of the dev profile. Further arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

# Nothing to do after `cargo test`, which has built it.
cargo build --locked
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
SOPHIE_BIN="$target/debug/sophie" exec .venv/bin/python -m pytest -p no:cacheprovider tests/browser "$@"
