#!/usr/bin/env bash
# Builds the packages of the client libraries as they would be published: npm's of clients/js, sdist and wheel of clients/python.
# They come to target/packages, or to the folder that is given.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-target/packages}
# Those of an earlier version would look like new ones.
(($#)) || rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
npm pack --silent --pack-destination "$folder" ./clients/js >/dev/null
# With what scripts/setup.sh has installed: an isolated build would fetch it anew.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
.venv/bin/python -m build --no-isolation --outdir "$folder" clients/python >"$log" 2>&1 || {
    cat "$log" >&2
    exit 1
}
ls -l "$folder"
