#!/usr/bin/env bash
# Runs tests that need Python against the program of the dev profile, or of SOPHIE_PROFILE=release. Without a word those of `make test`: one case
# through the pages in a browser, Django, the clients of the gateway, the documents that are served, README. What to run may be given, as to pytest:
# `scripts/test-python.sh tests/django -k worker`.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
if [[ ${SOPHIE_PROFILE:-dev} == release ]]; then
    cargo build --release --locked
    SOPHIE_BIN=$target/release/sophie
else
    # As `cargo test` builds it, after which there is nothing to do: `cargo build` would build dependencies anew, without the
    # features that tests ask of them.
    cargo test --workspace --locked --no-run --quiet
    SOPHIE_BIN=$target/debug/sophie
fi
export SOPHIE_BIN
(($#)) || set -- tests/browser/test_support_case.py tests/django tests/documents tests/gateway tests/readme/test_readme.py tests/readme/test_links.py
exec .venv/bin/python -m pytest -p no:cacheprovider -c tests/pytest.ini --durations=8 "$@"
