#!/usr/bin/env bash
# Installs the Debian packages that are named, as root, and starts none of their services. Elsewhere it says what is missing, and fails.
set -euo pipefail

(($#)) || exit 0
if ! command -v apt-get >/dev/null || ((EUID != 0)); then
    echo "missing: $*" >&2
    echo "install them and try again; on Debian or Ubuntu: sudo apt-get install $*" >&2
    exit 1
fi
echo "installing: $*"
export DEBIAN_FRONTEND=noninteractive
# Package lists may be missing or old, so that they name files which are gone.
apt-get update -qq
# RUNLEVEL=1: no redis-server or nginx is started as a service; the tests start their own.
RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$@" >/dev/null
