#!/usr/bin/env bash
# Builds the Debian package, looks at it as Debian does (lintian), and installs it into a folder, where it must start.
# SOPHIE_PACKAGE_OF names a program that is built already, which is packed in the place of a release build.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
if ! cargo deb --version >/dev/null 2>&1; then
    echo "installing: cargo-deb"
    cargo install --locked --quiet cargo-deb
fi
if [[ -n ${SOPHIE_PACKAGE_OF:-} ]]; then
    mkdir -p "$target/release"
    [[ $SOPHIE_PACKAGE_OF -ef $target/release/sophie ]] || cp "$SOPHIE_PACKAGE_OF" "$target/release/sophie"
    cargo deb --locked --no-build --quiet
else
    cargo deb --locked --quiet
fi
package=$(find "$target/debian" -name 'sophie_*.deb' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)

folder=$(mktemp -d)
service=
trap '[[ -z $service ]] || kill "$service" 2>/dev/null || true; rm -rf "$folder"' EXIT
fail() {
    echo "package: $*" >&2
    exit 1
}

if command -v lintian >/dev/null; then
    # There is no mailing list yet, and the changes stand in CHANGELOG.md.
    lintian --fail-on error --suppress-tags bogus-mail-host,no-changelog "$package" >"$folder/lintian" || { cat "$folder/lintian" >&2; fail "lintian found errors"; }
fi
dpkg-deb --extract "$package" "$folder/root"
dpkg-deb --control "$package" "$folder/control"
for file in usr/bin/sophie etc/sophie/settings.toml etc/sophie/environment lib/systemd/system/sophie.service; do
    [[ -e $folder/root/$file || -e $folder/root/usr/$file ]] || fail "$file is missing"
done
[[ $(stat -c %a "$folder/root/etc/sophie/environment") == 600 ]] || fail "everybody may read the secrets"
grep -q '^/etc/sophie/environment$' "$folder/control/conffiles" || fail "an upgrade would overwrite the settings"
grep -q adduser "$folder/control/postinst" || fail "nobody makes the user"
sh -n "$folder/control/postinst"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -i "s/:8080/:$port/" "$folder/root/etc/sophie/settings.toml"
(cd "$folder/root/etc/sophie" && exec "$folder/root/usr/bin/sophie") 2>"$folder/log" &
service=$!
for _ in $(seq 100); do
    curl -sf -o /dev/null "http://127.0.0.1:$port/health/ready" && break
    kill -0 "$service" 2>/dev/null || { cat "$folder/log" >&2; fail "it ended"; }
    sleep 0.1
done
curl -sf -o /dev/null "http://127.0.0.1:$port/health/ready" || fail "it is not ready"
kill -TERM "$service"
wait "$service" || fail "it did not end well"
service=

echo "package ok: $(basename "$package"), $(du -h "$package" | cut -f 1)"
