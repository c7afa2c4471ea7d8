#!/usr/bin/env bash
# Runs every test: those of Rust first, since they build the program that the browser tests start.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --workspace --locked
exec scripts/test-browser.sh
