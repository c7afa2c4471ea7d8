#!/usr/bin/env bash
# Fuzzes one target, or each in turn: TARGET (empty: all), SECONDS for each. Ends at the first input that breaks a promise.
# What is found on the way stays under target/fuzz, and the next run begins with it.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:-}
seconds=${2:-600}
if ! command -v cargo-fuzz > /dev/null; then
    cargo install cargo-fuzz --locked
fi
# libFuzzer's counters are an unstable flag of the compiler, and a nightly one is not needed for that alone. The program has no
# unsafe code, so there is nothing for a sanitizer to see.
export RUSTC_BOOTSTRAP=1
for name in ${target:-$(cd fuzz/seeds && ls)}; do
    echo "fuzz: $name for $seconds s"
    mkdir -p "target/fuzz/$name"
    cargo fuzz run --fuzz-dir fuzz --target-dir target/fuzz/build --sanitizer none "$name" "target/fuzz/$name" "fuzz/seeds/$name" \
        -- -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1
done
