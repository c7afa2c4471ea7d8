#!/usr/bin/env bash
# Runs every test: those of Rust first, since they build the program that the others start.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --workspace --locked
exec scripts/test-python.sh
