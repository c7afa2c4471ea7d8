#!/usr/bin/env bash
# Runs the tests that need Python against the program of the dev profile: the chat page in a browser, Django, and
# the clients of the gateway and of the other protocols, the blocks of the documents. What to run may be given, as to pytest: `scripts/test-python.sh tests/django -k worker`.
set -euo pipefail
cd "$(dirname "$0")/.."

# As `cargo test` builds it, after which there is nothing to do: `cargo build` would build dependencies anew, without the
# features that tests ask of them.
cargo test --workspace --locked --no-run --quiet
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
(($#)) || set -- tests/browser tests/clients tests/django tests/documents tests/gateway tests/readme
SOPHIE_BIN="$target/debug/sophie" exec .venv/bin/python -m pytest -p no:cacheprovider -c tests/pytest.ini "$@"
