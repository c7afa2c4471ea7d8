#!/usr/bin/env bash
# Asks this container's own service whether it lives. The image has no HTTP client; bash can open a connection.
set -euo pipefail

# Health is served where admin is, if that has an address of its own.
bind=${SOPHIE__ADMIN__BIND:-${SOPHIE__SERVER__BIND:-127.0.0.1:8080}}
exec 3<>"/dev/tcp/127.0.0.1/${bind##*:}"
printf 'GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 2 _ status _ <&3
[[ $status == 200 ]]
