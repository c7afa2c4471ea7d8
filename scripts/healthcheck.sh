#!/usr/bin/env bash
# Asks this container's own service whether it lives. The image has no HTTP client; bash can open a connection, and openssl one with TLS.
set -euo pipefail

# Health is served where admin is, if that has an address of its own; there without TLS.
bind=${SOPHIE__ADMIN__BIND:-${SOPHIE__SERVER__BIND:-127.0.0.1:8080}}
tls=
[[ -n ${SOPHIE__ADMIN__BIND:-} ]] || tls=${SOPHIE__SERVER__TLS_CERT:-}
request='GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

if [[ -n $tls ]]; then
    # Whether clients take the certificate is another question than whether the service lives.
    read -r _ status _ < <(printf '%b' "$request" | timeout 2 openssl s_client -quiet -verify_quiet -connect "127.0.0.1:${bind##*:}" 2>/dev/null)
else
    exec 3<>"/dev/tcp/127.0.0.1/${bind##*:}"
    printf '%b' "$request" >&3
    read -r -t 2 _ status _ <&3
fi
[[ $status == 200 ]]
