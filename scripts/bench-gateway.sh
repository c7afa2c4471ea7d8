#!/usr/bin/env bash
# Measures what the gateway adds to a request beside LiteLLM (PyPI) and Portkey's gateway (npm), which are installed under
# target/bench.
set -euo pipefail
cd "$(dirname "$0")/.."

bench=target/bench
mkdir -p "$bench"
if [[ ! -x $bench/venv/bin/litellm ]]; then
    [[ -x $bench/venv/bin/python ]] || python3 -m venv "$bench/venv"
    "$bench/venv/bin/pip" install --quiet --disable-pip-version-check 'litellm[proxy]'
fi
[[ -d $bench/node_modules/@portkey-ai/gateway ]] ||
    npm install --prefix "$bench" --no-fund --no-audit --silent @portkey-ai/gateway@1.15.2
exec cargo bench --bench gateway
