#!/usr/bin/env bash
# Installs what the tests need and is missing: Debian packages (as root), a Python venv in .venv, and
# clients in JavaScript in the node_modules of tests/gateway, tests/clients and tests/clients/copilotkit, AsyncAPI's parser in that of
# tests/documents, the rules of accessibility in that of tests/browser, what the page of examples/vite-chat is made of, what builds clients/js.
# Does nothing, quickly, where everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null; then
    echo "cargo is missing: install Rust (https://rustup.rs), version $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or later" >&2
    exit 1
fi

packages=()
command -v cc >/dev/null || packages+=(build-essential)
command -v redis-server >/dev/null || packages+=(redis-server)
# The tests name these two paths: the chromium of a snap or a browser vendor cannot be driven in the same way.
[[ -x /usr/bin/chromium ]] || packages+=(chromium)
[[ -x /usr/bin/chromedriver ]] || packages+=(chromium-driver)
command -v curl >/dev/null || packages+=(curl)
command -v openssl >/dev/null || packages+=(openssl)
# Clients that vanish are tested in a network of their own.
command -v ip >/dev/null || packages+=(iproute2)
# A terminal for `sophie top`.
command -v tmux >/dev/null || packages+=(tmux)
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3 python3-venv)

scripts/debian.sh "${packages[@]}"

# The stamp is written last: a venv that was cut short is made anew.
wanted=$(cat tests/requirements.txt examples/django/requirements.txt)
if [[ $wanted != "$(cat .venv/requirements.installed 2>/dev/null)" ]]; then
    echo "installing: tests/requirements.txt into .venv"
    .venv/bin/python -c 'import pip' 2>/dev/null || python3 -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
    echo "$wanted" >.venv/requirements.installed
fi

for folder in tests/browser tests/gateway tests/documents tests/clients tests/clients/copilotkit examples/vite-chat clients/js; do
    wanted=$(cat $folder/package-lock.json)
    if [[ $wanted != "$(cat $folder/node_modules/lock.installed 2>/dev/null)" ]]; then
        echo "installing: $folder/package-lock.json into $folder/node_modules"
        npm ci --prefix $folder --ignore-scripts --no-audit --no-fund --loglevel error >/dev/null
        # The one package whose script is needed: it fetches the binary of its version from the registry.
        [[ ! -d $folder/node_modules/node ]] || npm rebuild --prefix $folder --no-audit --no-fund --loglevel error node >/dev/null
        echo "$wanted" >$folder/node_modules/lock.installed
    fi
done
