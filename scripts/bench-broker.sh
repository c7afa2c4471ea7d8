#!/usr/bin/env bash
# Measures sockets beside nchan (Debian's nginx), Bun and socket.io (npm), which are installed under target/bench, and Django
# Channels (.venv). Arguments go to the bench: columns, --turns NUMBER, --write.
set -euo pipefail
cd "$(dirname "$0")/.."

bench=target/bench
mkdir -p "$bench"
if [[ ! -x $bench/nginx/usr/sbin/nginx ]]; then
    mkdir -p "$bench/debs"
    (cd "$bench/debs" && apt-get download -qq nginx libnginx-mod-nchan)
    for package in "$bench"/debs/*.deb; do
        dpkg-deb -x "$package" "$bench/nginx"
    done
fi
# nchan makes a folder below this one, whatever its configuration says.
mkdir -p /var/lib/nginx
[[ -d $bench/node_modules/bun && -d $bench/node_modules/socket.io ]] ||
    npm install --prefix "$bench" --no-fund --no-audit --silent bun@1.4.5 socket.io@4.8.4
scripts/setup.sh
exec cargo bench --bench socket -- --peers "$@"
