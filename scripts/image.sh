#!/usr/bin/env bash
# Builds the container image and starts it for real: it must refuse to serve everyone unasked, become healthy when it is
# told how, run as nobody in particular, and stop on SIGTERM. Needs root, buildah and (for want of a registry) debootstrap.
#
# Base images are pulled if a registry can be reached. If not, stand-ins of the same name are made: Debian by
# debootstrap, and with this machine's Rust toolchain for the build stage. All of it lies in a storage of its own, so that
# nobody takes a stand-in for the real thing; the base images stay there for the next time, until `make clean`.
set -euo pipefail
cd "$(dirname "$0")/.."

runtime=docker.io/library/debian:bookworm-slim
rust=docker.io/library/rust:$(sed -n 's/^ARG RUST_VERSION=//p' Dockerfile)-slim-bookworm
image=localhost/sophie:check
storage=$PWD/target/image
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

if ((EUID != 0)); then
    echo "the image is built and started without a daemon, which needs root: sudo make image" >&2
    echo "or with Docker: docker build -t sophie ." >&2
    exit 1
fi
packages=()
command -v buildah >/dev/null || packages+=(buildah)
command -v debootstrap >/dev/null || packages+=(debootstrap)
scripts/debian.sh "${packages[@]}"

work=$(mktemp -d)
container=
service=
cleanup() {
    [[ -z $service ]] || kill -KILL "$service" 2>/dev/null || true
    [[ -z $container ]] || b rm "$container" >/dev/null || true
    b rmi --force "$image" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
buildah=(buildah --root "$storage/root" --runroot "$storage/run" --storage-driver vfs)
b() { "${buildah[@]}" "$@"; }
fail() {
    echo "image: $*" >&2
    [[ ! -s $work/log ]] || cat "$work/log" >&2
    exit 1
}

known() { b images --quiet "$1" >/dev/null 2>&1; }
# A pull without a network must not take for ever.
pulled() { known "$1" || timeout 600 "${buildah[@]}" pull --quiet --retry 0 "$1" >/dev/null 2>&1; }

# import NAME ROOT: an image of one layer that holds the files below ROOT.
import() {
    local from
    from=$(b from scratch)
    b add --quiet "$from" "$2" / >/dev/null
    b config --env PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd bash "$from"
    b commit --quiet --rm "$from" "$1" >/dev/null
}

debian() {
    debootstrap --variant=minbase --include="ca-certificates$2" bookworm "$1" >"$work/log" 2>&1 || fail "debootstrap failed"
    # Behind a proxy that opens TLS, what this machine trusts must be trusted inside as well.
    cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
    rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
}

if ! pulled "$runtime"; then
    echo "==> $runtime: made by debootstrap"
    debian "$work/runtime" ""
    import "$runtime" "$work/runtime"
    rm -rf "$work/runtime"
fi
if ! pulled "$rust"; then
    echo "==> $rust: made by debootstrap, with $(rustc --version)"
    debian "$work/rust" ",gcc,libc6-dev"
    mkdir -p "$work/rust/usr/local/cargo/bin" "$work/rust/usr/local/cargo/lib"
    sysroot=$(rustc --print sysroot)
    cp "$sysroot"/bin/{cargo,rustc} "$work/rust/usr/local/cargo/bin/"
    cp -r "$sysroot/lib/." "$work/rust/usr/local/cargo/lib/"
    import "$rust" "$work/rust"
    rm -rf "$work/rust"
fi

echo "==> build"
# The docker format, since the OCI format has no HEALTHCHECK.
b bud --quiet --format docker --isolation chroot --network host --pull-never --tag "$image" . >"$work/log" 2>&1 || fail "the build failed"
container=$(b from --pull-never "$image")
in_container() { b run --isolation chroot --network host "$@"; }

echo "==> it refuses to serve everyone unasked"
if in_container "$container" -- sophie >"$work/log" 2>&1; then
    fail "it started without an admin token"
fi
grep -q SOPHIE__ADMIN__TOKEN "$work/log" || fail "the refusal does not name the setting"
grep SOPHIE__ADMIN__TOKEN "$work/log"

echo "==> it serves when it is told how"
# Isolation by chroot shares the host's network: a port that nobody uses.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
settings=(--env "SOPHIE__SERVER__BIND=0.0.0.0:$port" --env "SOPHIE__ADMIN__TOKEN=$token" --env SOPHIE__AUTH__OPEN=true)
# The shell tells its id, which is the service's after exec: processes are not isolated either.
in_container "${settings[@]}" "$container" -- bash -c 'echo $$; id -u; exec sophie' >"$work/id" 2>"$work/log" &
runner=$!
healthy=
for _ in $(seq 100); do
    if in_container "${settings[@]}" "$container" -- sophie-healthcheck 2>/dev/null; then
        healthy=1
        break
    fi
    kill -0 "$runner" 2>/dev/null || fail "it ended"
    sleep 0.1
done
service=$(sed -n 1p "$work/id")
[[ -n $healthy ]] || fail "it did not become healthy"
user=$(sed -n 2p "$work/id")
[[ $user == 10001 ]] || fail "it runs as user $user"
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
[[ $(status "http://127.0.0.1:$port/health/ready") == 200 ]] || fail "it is not ready"
[[ $(status "http://127.0.0.1:$port/admin/api/groups") == 401 ]] || fail "admin is open"
[[ $(status -H "Authorization: Bearer $token" "http://127.0.0.1:$port/admin/api/groups") == 200 ]] || fail "admin refuses its token"
[[ $(status "http://127.0.0.1:$port/") == 200 ]] || fail "there is no chat page"

echo "==> it stops on SIGTERM"
kill -TERM "$service"
if ! wait "$runner"; then fail "it did not end well"; fi
service=
grep -q drained "$work/log" || fail "it did not drain"

echo "image ok: $(b images --format '{{.Size}}' "$image"), healthy as user $user"
