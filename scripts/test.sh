#!/usr/bin/env bash
# Runs every test: those of Rust first, since they build the program that the others start.
set -euo pipefail
cd "$(dirname "$0")/.."

# Tests wait more than they compute, so one more than there are cores keeps the cores busy.
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-$(($(nproc) + 1))}"
cargo test --workspace --locked
exec scripts/test-python.sh
