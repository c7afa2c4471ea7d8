#!/usr/bin/env bash
# Plays a long test, `soak` or `chaos`, for SOPHIE_SOAK_SECONDS by the plan of SOPHIE_SEED (empty: any, which is printed). Its figures
# come last; exit code 1 says that something was wrong, and above it stands what.
set -euo pipefail
cd "$(dirname "$0")/.."

test=$1
export SOPHIE_SOAK_SECONDS=${SOPHIE_SOAK_SECONDS:-$2}
export SOPHIE_SEED=${SOPHIE_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if cargo test --locked --test api "$test::" -- --nocapture > "$log" 2>&1; then
    grep "^$test: " "$log" | grep -v "^$test: step "
else
    cat "$log"
    echo "$test: wrong, with SOPHIE_SEED=$SOPHIE_SEED SOPHIE_SOAK_SECONDS=$SOPHIE_SOAK_SECONDS"
    exit 1
fi
